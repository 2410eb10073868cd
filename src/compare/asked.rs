//! What was asked of a check: in which subjects, and how much worse each may be.

use super::{Noise, Subject};
use crate::record::Environment;
use crate::units::Share;

/// What was asked of a check.
#[derive(Debug, Clone)]
pub struct Asked {
    subjects: Vec<(Subject, Option<f64>)>,
    /// Whether both sides ran turn by turn, so that their processes pair off.
    pub paired: bool,
    /// Fields of the environment that may differ.
    pub allowed: Vec<String>,
}

/// Why that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// A name that is no metric.
    #[error("there is no metric `{0}`")]
    UnknownSubject(String),
    /// A name that is no field of an environment.
    #[error("there is no `{0}` in an environment")]
    UnknownField(String),
    /// A tolerance that is not of the form METRIC=SHARE.
    #[error("`{0}` is no tolerance: expected METRIC=SHARE, as decode=5%")]
    NoTolerance(String),
    /// A tolerance that the machine's own runs would break.
    #[error(
        "a tolerance of {} for {label} is below what this machine's own runs differ by: {} in {place}, {runs} runs of one build",
        Share(*.tolerance),
        Share(*.noise)
    )]
    BelowNoise {
        /// Of the subject.
        label: &'static str,
        /// What was asked for, a share.
        tolerance: f64,
        /// The noise of its noisiest figure, a share.
        noise: f64,
        /// That figure.
        place: String,
        /// Runs that the noise was measured with.
        runs: usize,
    },
}

impl AskedError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownSubject(_) => {
                format!("they are {}", Subject::all().map(Subject::key).collect::<Vec<_>>().join(", "))
            }
            Self::UnknownField(_) => "name what the report says differs, such as kernel or gpu_driver".into(),
            Self::NoTolerance(_) => "0.05 means the same as 5%".into(),
            Self::BelowNoise { noise, .. } => format!(
                "allow {} at least, compare builds with --ab, which the machine's noise does not enter, or make the machine \
                 quieter and calibrate again",
                Share(round_up(*noise))
            ),
        }
    }
}

impl Asked {
    /// `metrics` are names, all of the default ones if empty; each of `tolerances` is `NAME=SHARE`, and asks for its metric
    /// too.
    ///
    /// # Errors
    /// A name that is none, or a share that is none.
    pub fn new(metrics: &[String], tolerances: &[String], paired: bool) -> Result<Self, AskedError> {
        let named = |name: &str| Subject::named(name).ok_or_else(|| AskedError::UnknownSubject(name.to_owned()));
        let mut subjects: Vec<(Subject, Option<f64>)> = match metrics {
            [] => Subject::DEFAULT.map(|subject| (subject, None)).to_vec(),
            names => names.iter().map(|name| Ok((named(name)?, None))).collect::<Result<_, AskedError>>()?,
        };
        for text in tolerances {
            let no_tolerance = || AskedError::NoTolerance(text.clone());
            let (name, share) = text.split_once('=').ok_or_else(no_tolerance)?;
            let subject = named(name.trim())?;
            let tolerance = Some(self::share(share.trim()).ok_or_else(no_tolerance)?);
            match subjects.iter_mut().find(|(known, _)| *known == subject) {
                Some((_, known)) => *known = tolerance,
                None => subjects.push((subject, tolerance)),
            }
        }
        Ok(Self { subjects, paired, allowed: Vec::new() })
    }

    /// Lets fields of the environment differ.
    ///
    /// # Errors
    /// A name that is no field of `environment`.
    pub fn allowing(self, fields: &[String], environment: &Environment) -> Result<Self, AskedError> {
        let known = serde_json::to_value(environment).unwrap_or_default();
        match fields.iter().find(|field| known.get(field.as_str()).is_none()) {
            Some(field) => Err(AskedError::UnknownField(field.clone())),
            None => Ok(Self { allowed: fields.to_vec(), ..self }),
        }
    }

    /// The subjects to be judged.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        self.subjects.iter().map(|(subject, _)| *subject)
    }

    /// By what share a subject may be worse. Where the user does not say, the machine's noise raises it.
    pub(super) fn tolerance(&self, subject: Subject, noise: Option<f64>) -> f64 {
        let said = self.subjects.iter().find(|(known, _)| *known == subject).and_then(|(_, tolerance)| *tolerance);
        said.unwrap_or_else(|| subject.default_tolerance().max(noise.map_or(0.0, round_up)))
    }

    /// Refuses a tolerance that the machine's own runs would break; to be asked before anything is measured.
    ///
    /// # Errors
    /// A stated tolerance below the noise.
    pub fn against(&self, noise: &Noise) -> Result<(), AskedError> {
        for (subject, tolerance) in &self.subjects {
            let Some(tolerance) = *tolerance else { continue };
            if let Some(worst) = noise.worst(*subject).filter(|worst| worst.share > tolerance) {
                let (label, noise, runs) = (subject.label(), worst.share, noise.runs);
                return Err(AskedError::BelowNoise { label, tolerance, noise, place: worst.place.to_string(), runs });
            }
        }
        Ok(())
    }
}

/// A share that a tolerance can be: one of several times over is a mistake, 5 for 5 %.
fn share(text: &str) -> Option<f64> {
    Share::parse(text).map(|share| share.0).filter(|share| (0.0..=2.0).contains(share))
}

/// To the next half per cent: a tolerance is a round number.
fn round_up(share: f64) -> f64 {
    (share * 200.0).ceil() / 200.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{NoiseFigure, Place};
    use crate::metric::{DECODE, LATENCY, TTFT};

    fn asked(metrics: &[&str], tolerances: &[&str]) -> Result<Asked, AskedError> {
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Asked::new(&strings(metrics), &strings(tolerances), false)
    }

    #[test]
    fn a_tolerance_is_a_share_or_a_percentage_and_asks_for_its_metric() {
        let asked = asked(&[], &["decode=3%", "latency=0.1"]).unwrap();
        let tolerance = |metric| asked.tolerance(Subject::Metric(metric), None);
        assert_eq!((tolerance(DECODE), tolerance(LATENCY), tolerance(TTFT)), (0.03, 0.1, 0.05));
        assert_eq!(asked.subjects().count(), Subject::DEFAULT.len() + 1);
    }

    #[test]
    fn what_is_no_tolerance_is_refused() {
        for text in ["decode", "decode=", "decode=x", "decode=5", "decode=-1%", "decode=NaN", "decode=inf"] {
            assert!(matches!(asked(&[], &[text]), Err(AskedError::NoTolerance(_))), "{text}");
        }
        assert!(matches!(asked(&[], &["speed=5%"]), Err(AskedError::UnknownSubject(_))));
        assert!(matches!(asked(&["speed"], &[]), Err(AskedError::UnknownSubject(_))));
    }

    #[test]
    fn noise_raises_a_tolerance_that_nobody_stated_and_refuses_one_below_it() {
        let place = Place { row: "a".into(), suite: Some("speed".into()), prompt: Some("pp512".into()) };
        let figure = NoiseFigure { place, metric: TTFT.key.into(), share: 0.061 };
        let noise = Noise { runs: 8, figures: vec![figure] };
        assert_eq!(asked(&[], &[]).unwrap().tolerance(Subject::Metric(TTFT), Some(0.061)), 0.065);
        assert!(asked(&[], &[]).unwrap().against(&noise).is_ok());
        assert!(asked(&[], &["ttft=7%"]).unwrap().against(&noise).is_ok());
        let refused = asked(&[], &["ttft=5%"]).unwrap().against(&noise).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a tolerance of 5 % for TTFT is below what this machine's own runs differ by: 6.1 % in a, speed pp512, 8 runs \
             of one build"
        );
        assert!(refused.hint().starts_with("allow 6.5 % at least"));
    }
}
