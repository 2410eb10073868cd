//! What the tests stand on.

pub mod hub_stand_in;
