//! Energy that a GPU used during a trial.

use serde::Serialize;

use crate::record::{GpuReading, Reading, Trial};

/// How energy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EnergySource {
    /// The card counts it.
    Counter,
    /// Power, integrated over the readings by trapezoids.
    Integrated,
}

impl EnergySource {
    /// For machines: `counter` or `integrated`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Integrated => "integrated",
        }
    }

    /// Shortest trial that it can tell anything of: ten times the time between two of its own updates. Those of the counter
    /// and of power come about each tenth of a second, and power is the average of the last second on many cards (Yang,
    /// Adamek and Armour 2023, <https://arxiv.org/abs/2312.02741>).
    fn shortest_seconds(self) -> f64 {
        match self {
            Self::Counter => 1.0,
            Self::Integrated => 10.0,
        }
    }
}

/// Energy of the whole card, what it draws when idle included, from the first to the last look at a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Energy {
    /// Of the whole card, for the request.
    pub joules: f64,
    /// How that is known.
    pub source: EnergySource,
}

impl Energy {
    /// `None` where the driver tells neither, and for a trial too short for what it tells.
    pub fn of(trial: &Trial) -> Option<Self> {
        let (first, last) = (trial.readings.first()?, trial.readings.last()?);
        let seconds = last.at_ns.checked_sub(first.at_ns)? as f64 / 1e9;
        let (joules, source) = match counted(first, last) {
            Some(joules) => (joules, EnergySource::Counter),
            None => (integrated(&trial.readings)?, EnergySource::Integrated),
        };
        Some(Self { joules, source }).filter(|_| seconds >= source.shortest_seconds())
    }
}

/// Undefined if the counter ran backwards: the driver was loaded anew in between.
fn counted(first: &Reading, last: &Reading) -> Option<f64> {
    let counter = |reading: &Reading| reading.gpu.as_ref()?.energy_millijoules;
    Some(counter(last)?.checked_sub(counter(first)?)? as f64 / 1e3)
}

/// Undefined if power is missing at either end, where nothing can be put in its place.
fn integrated(readings: &[Reading]) -> Option<f64> {
    let watts = |gpu: &GpuReading| gpu.power_milliwatts.map(|power| f64::from(power) / 1e3);
    let power: Vec<Option<(u64, f64)>> =
        readings.iter().map(|reading| Some((reading.at_ns, reading.gpu.as_ref().and_then(watts)?))).collect();
    (power.first()?.is_some() && power.last()?.is_some()).then_some(())?;
    let known: Vec<(u64, f64)> = power.into_iter().flatten().collect();
    let slice = |pair: &[(u64, f64)]| {
        let [(from, before), (to, after)] = [pair[0], pair[1]];
        to.saturating_sub(from) as f64 / 1e9 * (before + after) / 2.0
    };
    Some(known.windows(2).map(slice).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    /// A trial looked at each so many seconds, with the counter in J and the power in W of each look.
    fn trial(every: u64, looks: &[(Option<u64>, Option<u32>)]) -> Trial {
        let mut trial = testing::text_trial(200, 100, 5, "가");
        let reading = |(index, (joules, watts)): (u64, &(Option<u64>, Option<u32>))| Reading {
            at_ns: index * every * 1_000_000_000,
            gpu: Some(GpuReading {
                energy_millijoules: joules.map(|joules| joules * 1000),
                power_milliwatts: watts.map(|watts| watts * 1000),
                ..GpuReading::default()
            }),
            ..Reading::default()
        };
        trial.readings = (0..).zip(looks).map(reading).collect();
        trial
    }

    fn energy(every: u64, looks: &[(Option<u64>, Option<u32>)]) -> Option<(f64, &'static str)> {
        Energy::of(&trial(every, looks)).map(|energy| (energy.joules, energy.source.name()))
    }

    #[test]
    fn the_counter_is_believed_before_the_power() {
        let looks = [(Some(100), Some(50)), (Some(130), Some(70)), (Some(180), Some(70))];
        assert_eq!(energy(1, &looks), Some((80.0, "counter")));
    }

    #[test]
    fn without_a_counter_power_is_integrated() {
        // 10 s from 20 to 40 W, then 20 s at 40 W, over a look that told nothing.
        let looks = [(None, Some(20)), (None, Some(40)), (None, None), (None, Some(40))];
        assert_eq!(energy(10, &looks), Some((300.0 + 800.0, "integrated")));
    }

    #[test]
    fn a_trial_too_short_for_its_source_has_none() {
        assert_eq!(energy(0, &[(Some(1), None), (Some(2), None)]), None);
        assert_eq!(energy(4, &[(None, Some(20)), (None, Some(20)), (None, Some(20))]), None);
        assert_eq!(energy(4, &[(Some(1), Some(20)), (None, Some(20)), (Some(9), Some(20))]), Some((8.0, "counter")));
    }

    #[test]
    fn what_was_not_told_is_not_zero() {
        assert_eq!(energy(20, &[(None, None), (None, None)]), None);
        assert_eq!(energy(20, &[(None, Some(20)), (None, None)]), None, "power at the end is missing");
        assert_eq!(energy(20, &[(Some(5), None), (Some(4), None)]), None, "the counter began anew");
        assert_eq!(energy(20, &[]), None);
        assert_eq!(Energy::of(&testing::beside(0.0, testing::text_trial(200, 100, 5, "가"))), None, "on a CPU");
    }
}
