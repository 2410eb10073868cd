//! Unit: what a metric's numbers are counted in, and how they are printed.

use crate::units::{Bytes, Rate, Seconds, Share};

/// What a metric's numbers are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A time, in seconds.
    Seconds,
    /// A rate of tokens.
    TokensPerSecond,
    /// A rate of Unicode scalar values.
    CharactersPerSecond,
    /// Unicode scalar values of a token.
    CharactersPerToken,
    /// A number of things.
    Count,
    /// An energy.
    Joules,
    /// An energy for each output token.
    JoulesPerToken,
    /// A size.
    Bytes,
    /// Of what the device can do at most: 1 is all of it.
    Share,
}

impl Unit {
    /// For the head of a column of bare numbers.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::TokensPerSecond => "tok/s",
            Unit::CharactersPerSecond => "chars/s",
            Unit::CharactersPerToken => "chars/tok",
            Unit::Count => "count",
            Unit::Joules => "J",
            Unit::JoulesPerToken => "J/tok",
            Unit::Bytes => "B",
            Unit::Share => "of peak",
        }
    }

    /// A value with as many digits as mean something. Seconds and bytes carry their unit, because it changes with the size,
    /// and shares their sign; the others leave it to the column's head.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => Seconds(value).to_string(),
            Unit::Bytes => Bytes(value as u64).to_string(),
            Unit::Share => Share(value).to_string(),
            // A median of counts may lie between two.
            Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
            _ => Rate(value).to_string(),
        }
    }

    /// A value with its unit, for a sentence.
    pub fn show_in_text(self, value: f64) -> String {
        match self {
            Unit::Seconds | Unit::Count | Unit::Bytes | Unit::Share => self.show(value),
            _ => format!("{} {}", self.show(value), self.symbol()),
        }
    }
}
