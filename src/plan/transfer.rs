//! Carrying measured speed to another GPU: time per token = fixed + bytes ÷ bandwidth.
//!
//! Scaling tokens per second by the ratio of bandwidths is wrong where launching kernels takes a large part of a token,
//! as it does on fast cards: the fixed part does not get shorter with faster memory.

use serde::Serialize;

/// One candidate's decode steps as measured: the bytes that one reads, and the median seconds that it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepTime {
    /// That a step reads: weights, and the cache at its context.
    pub bytes: f64,
    /// The median time of a step.
    pub seconds: f64,
}

/// A line through measured step times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimeFit {
    /// Of each step, whatever it reads.
    pub fixed_seconds: f64,
    /// Effective bandwidth: what the bytes are read at.
    pub bytes_per_second: f64,
    /// Candidates that it was fitted to.
    pub points: usize,
    /// Root mean square of (fitted − measured) ÷ measured.
    pub rms_error: f64,
    /// The largest such error of a candidate by the line through the others alone: what to expect of one not measured.
    /// `None` where the others give no line.
    pub worst_left_out_error: Option<f64>,
}

impl TimeFit {
    /// Fewest points that a line is fitted to: any two lie on one.
    pub const NEEDS: usize = 3;

    /// Least squares of the relative errors, so that small models count as much as large ones. A negative fixed time, which
    /// only noise can give, is taken as none.
    ///
    /// `None` for fewer than three points, points of the same bytes, or times that do not grow with them.
    pub fn of(points: &[StepTime]) -> Option<Self> {
        if points.len() < Self::NEEDS {
            return None;
        }
        let line = Line::through(points)?;
        let squares: f64 = points.iter().map(|point| line.error(*point).powi(2)).sum();
        let left_out = |index: usize| {
            let others: Vec<StepTime> =
                points.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, point)| *point).collect();
            Some(Line::through(&others)?.error(points[index]).abs())
        };
        let left_out: Option<Vec<f64>> = (0..points.len()).map(left_out).collect();
        Some(Self {
            fixed_seconds: line.fixed,
            bytes_per_second: 1.0 / line.slope,
            points: points.len(),
            rms_error: (squares / points.len() as f64).sqrt(),
            worst_left_out_error: left_out.map(|errors| errors.into_iter().fold(0.0, f64::max)),
        })
    }

    /// The same engine on a GPU with so many times the bandwidth: the fixed time stays, the share of the bandwidth too.
    pub fn carried(self, bandwidth_ratio: f64) -> Self {
        Self { bytes_per_second: self.bytes_per_second * bandwidth_ratio, ..self }
    }

    /// Tokens a second of one chat whose step reads so many bytes.
    pub fn rate(self, bytes: f64) -> f64 {
        1.0 / (self.fixed_seconds + bytes / self.bytes_per_second)
    }
}

/// The fit of a run, and what becomes of it on the GPU of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transfer {
    /// The run's id.
    pub run: String,
    /// The GPU that it was made on, by its id.
    pub made_on: String,
    /// The fit of what was measured.
    pub measured: TimeFit,
    /// The same on the GPU of the plan.
    pub carried: TimeFit,
    /// Bytes of a number in that engine's cache.
    pub cache_number_bytes: u64,
}

/// seconds = fixed + slope × bytes.
struct Line {
    fixed: f64,
    slope: f64,
}

impl Line {
    /// Minimizes Σ ((fixed + slope × bytes) ÷ seconds − 1)².
    fn through(points: &[StepTime]) -> Option<Self> {
        let usable = |point: &StepTime| point.seconds > 0.0 && point.bytes > 0.0;
        if !points.iter().all(usable) {
            return None;
        }
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|point| of(1.0 / point.seconds, point.bytes / point.seconds)).sum::<f64>()
        };
        let (uu, uv, vv) = (sum(&|u, _| u * u), sum(&|u, v| u * v), sum(&|_, v| v * v));
        let (u, v) = (sum(&|u, _| u), sum(&|_, v| v));
        let determinant = uu * vv - uv * uv;
        if determinant <= 1e-9 * uu * vv {
            return None;
        }
        let (fixed, slope) = ((u * vv - v * uv) / determinant, (uu * v - uv * u) / determinant);
        let (fixed, slope) = if fixed < 0.0 { (0.0, v / vv) } else { (fixed, slope) };
        (slope > 0.0 && slope.is_finite()).then_some(Self { fixed, slope })
    }

    /// (fitted − measured) ÷ measured.
    fn error(&self, point: StepTime) -> f64 {
        (self.fixed + self.slope * point.bytes) / point.seconds - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of an engine that takes 2 ms and reads at 250 GB/s, with an error each.
    fn steps(of: &[(f64, f64)]) -> Vec<StepTime> {
        of.iter()
            .map(|(gigabytes, error)| StepTime {
                bytes: gigabytes * 1e9,
                seconds: (0.002 + gigabytes / 250.0) * (1.0 + error),
            })
            .collect()
    }

    fn close(actual: f64, expected: f64, within: f64) {
        assert!((actual / expected - 1.0).abs() < within, "{actual}, expected {expected}");
    }

    #[test]
    fn a_line_is_found_again() {
        let fit = TimeFit::of(&steps(&[(4.0, 0.0), (8.0, 0.0), (15.0, 0.0), (5.0, 0.0)])).unwrap();
        close(fit.fixed_seconds, 0.002, 1e-9);
        close(fit.bytes_per_second, 250e9, 1e-9);
        assert!(fit.rms_error < 1e-9 && fit.worst_left_out_error.unwrap() < 1e-9);
        close(fit.rate(10e9), 1.0 / 0.042, 1e-9);
    }

    #[test]
    fn noise_shows_in_the_errors_and_more_where_a_point_is_left_out() {
        let fit = TimeFit::of(&steps(&[(4.0, 0.05), (5.0, -0.05), (8.0, 0.04), (15.0, -0.03)])).unwrap();
        assert!((0.01..0.06).contains(&fit.rms_error), "{fit:?}");
        assert!(fit.worst_left_out_error.unwrap() > fit.rms_error, "{fit:?}");
    }

    #[test]
    fn the_fixed_time_stays_on_another_card() {
        let fit = TimeFit::of(&steps(&[(4.0, 0.0), (8.0, 0.0), (15.0, 0.0)])).unwrap();
        let carried = fit.carried(16.0);
        close(carried.rate(4e9), 1.0 / (0.002 + 4.0 / 4000.0), 1e-9);
        // Scaling the rate itself would promise five times as much.
        assert!(16.0 * fit.rate(4e9) > 2.0 * carried.rate(4e9));
    }

    #[test]
    fn what_gives_no_line_gives_none() {
        assert_eq!(TimeFit::of(&steps(&[(4.0, 0.0), (8.0, 0.0)])), None);
        assert_eq!(TimeFit::of(&steps(&[(4.0, 0.0), (4.0, 0.1), (4.0, 0.2)])), None);
        let instant = StepTime { bytes: 1e9, seconds: 0.0 };
        assert_eq!(TimeFit::of(&[instant, instant, instant]), None);
        let shrinking = [(1e9, 0.03), (2e9, 0.02), (3e9, 0.01)].map(|(bytes, seconds)| StepTime { bytes, seconds });
        assert_eq!(TimeFit::of(&shrinking), None);
    }

    #[test]
    fn a_negative_fixed_time_is_taken_as_none() {
        let points = [(1e9, 0.009), (2e9, 0.02), (4e9, 0.041)].map(|(bytes, seconds)| StepTime { bytes, seconds });
        let fit = TimeFit::of(&points).unwrap();
        assert_eq!(fit.fixed_seconds, 0.0);
        close(fit.bytes_per_second, 100e9, 0.1);
    }
}
