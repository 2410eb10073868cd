//! A demand: what a speed takes of a device each second, against the most that the device can give.

use std::fmt;

use serde::Serialize;

use crate::units::{Rate, Share};

/// What a speed takes of a device. More than the device can give is impossible, whoever claims it: a published table, or a run
/// of this program, of which something is mistaken then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Demand {
    /// Of what.
    pub resource: Resource,
    /// Bytes or operations.
    pub needed_per_second: f64,
    /// What the device has of it.
    pub peak_per_second: f64,
}

/// Something that a device has so much of each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Bytes of its memory.
    Bandwidth,
    /// Arithmetic on numbers as wide as the weights.
    Operations,
}

impl Demand {
    /// As a share of what there is.
    pub fn share(self) -> f64 {
        self.needed_per_second / self.peak_per_second
    }

    /// Whether it is more than there is.
    pub fn is_impossible(self) -> bool {
        self.share() > 1.0
    }
}

/// `needs 361 GB/s, 1.20 times the card's 300`
impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, unit) = match self.resource {
            Resource::Bandwidth => (1e9, "GB/s"),
            Resource::Operations => (1e12, "TFLOPS"),
        };
        write!(f, "needs {} {unit}, ", Rate(self.needed_per_second / size))?;
        if self.is_impossible() {
            write!(f, "{:.2} times the card's {}", self.share(), Rate(self.peak_per_second / size))
        } else {
            write!(f, "{} of the card's", Share(self.share()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_device_is_possible_and_more_is_not() {
        let needs = |needed_per_second, resource| Demand { resource, needed_per_second, peak_per_second: 300e9 };
        let all = needs(300e9, Resource::Bandwidth);
        assert_eq!((all.is_impossible(), all.to_string().as_str()), (false, "needs 300 GB/s, 100 % of the card's"));
        let more = needs(361e9, Resource::Bandwidth);
        assert_eq!(
            (more.is_impossible(), more.to_string().as_str()),
            (true, "needs 361 GB/s, 1.20 times the card's 300")
        );
        assert_eq!(needs(150e9, Resource::Operations).to_string(), "needs 0.150 TFLOPS, 50 % of the card's");
    }
}
