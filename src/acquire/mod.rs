//! Acquire: from a candidate to the files of its checkpoint.

pub mod hub;
