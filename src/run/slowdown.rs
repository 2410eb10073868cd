//! A deliberate slowdown, in builds with the feature `slowdown` alone: proof that the gate sees one of that size.

use std::time::Duration;

use crate::clock::Clock;
use crate::engine::Observer;

/// Variable with the share by which each decode step is to take longer: `0.1` for a tenth.
const VARIABLE: &str = "BENCH_SLOWDOWN_DECODE";

/// Lets an engine wait before each token but the first, as one would that computes more slowly.
pub struct Slowed<'a, C> {
    observer: &'a mut dyn Observer,
    clock: &'a C,
    share: f64,
    before: Option<Duration>,
}

impl<'a, C: Clock> Slowed<'a, C> {
    /// By the share that the environment names; by nothing if it names none.
    pub fn by_environment(observer: &'a mut dyn Observer, clock: &'a C) -> Self {
        let share = std::env::var(VARIABLE).ok().and_then(|share| share.parse().ok());
        Self::by(share.unwrap_or(0.0), observer, clock)
    }

    fn by(share: f64, observer: &'a mut dyn Observer, clock: &'a C) -> Self {
        Self { observer, clock, share, before: None }
    }
}

impl<C: Clock> Observer for Slowed<'_, C> {
    fn encoded(&mut self, prompt_tokens: usize) {
        self.observer.encoded(prompt_tokens);
    }

    fn prefilled(&mut self) {
        self.observer.prefilled();
    }

    fn token(&mut self, id: u32) {
        if let Some(before) = self.before {
            let now = self.clock.now();
            let until = now + (now - before).mul_f64(self.share.clamp(0.0, 10.0));
            // Not asleep: a step computes, and a processor that rests cools down and speeds up.
            while self.clock.now() < until {
                std::hint::spin_loop();
            }
        }
        self.observer.token(id);
        self.before = Some(self.clock.now());
    }

    fn tokens(&mut self, count: Option<u32>) {
        self.observer.tokens(count);
    }

    fn text(&mut self, piece: &str) {
        self.observer.text(piece);
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A clock on which every look takes a microsecond.
    #[derive(Default)]
    struct Ticking(Cell<Duration>);

    impl Clock for Ticking {
        fn now(&self) -> Duration {
            self.0.set(self.0.get() + Duration::from_micros(1));
            self.0.get()
        }

        fn sleep(&self, time: Duration) {
            self.0.set(self.0.get() + time);
        }
    }

    /// When each token arrived, in microseconds.
    struct Arrivals<'a>(&'a Ticking, Vec<u128>);

    impl Observer for Arrivals<'_> {
        fn token(&mut self, _: u32) {
            self.1.push(self.0.0.get().as_micros());
        }
    }

    #[test]
    fn every_token_but_the_first_takes_longer_by_the_share() {
        let clock = Ticking::default();
        let mut arrivals = Arrivals(&clock, Vec::new());
        let mut slowed = Slowed::by(0.1, &mut arrivals, &clock);
        for id in 0..4 {
            clock.0.set(clock.0.get() + Duration::from_millis(10));
            slowed.token(id);
        }
        let gaps: Vec<u128> = arrivals.1.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(arrivals.1[0], 10_000);
        assert!(gaps.iter().all(|gap| (11_000..11_010).contains(gap)), "{gaps:?}");
    }
}
