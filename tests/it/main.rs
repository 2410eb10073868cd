//! What the program does, seen from outside.

mod hub;
mod support;
