//! Differences: what keeps two runs from being compared, beside their figures.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Digest, RowDigest};
use crate::record::{CheckpointFacts, Environment, Settings};

/// Something in which two runs differ, so that their figures do not compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field, or what else differs.
    pub what: String,
    /// Its value in the baseline, for people.
    pub before: String,
    /// Its value now.
    pub after: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {}", self.what, self.before, self.after)
    }
}

impl Difference {
    /// A value of zero or less has no ratio to another.
    pub(super) fn not_positive() -> Self {
        Self::new("a value", "above zero", "not")
    }

    fn new(what: &str, before: impl ToString, after: impl ToString) -> Self {
        Self { what: what.to_owned(), before: before.to_string(), after: after.to_string() }
    }
}

/// What is meant to differ: a check is there to compare two states of the program.
const PROGRAM: [&str; 3] = ["program_version", "program_commit", "candle_version"];

/// Machines of one kind do not have the same number of bytes to the last: a kernel keeps some of them for itself.
const SAME_MEMORY: f64 = 0.02;

/// Every field in which two environments differ.
pub fn fields(before: &Environment, after: &Environment) -> Vec<Difference> {
    changed(before, after, |_, before, after| before == after)
}

/// In what two environments differ so that figures do not compare: not in the program's own version, not in a field that one of
/// them does not know, and not in the patch level of a version.
pub fn environments(before: &Environment, after: &Environment) -> Vec<Difference> {
    changed(before, after, |field, before, after| {
        let unknown = before.is_null() || after.is_null() || is_patch(field, before, after);
        let is_memory = ["memory_bytes", "memory_limit_bytes"].contains(&field);
        PROGRAM.contains(&field) || unknown || before == after || (is_memory && close(before, after))
    })
}

/// In which versions two environments differ by no more than a patch level.
pub fn patches(before: &Environment, after: &Environment) -> Vec<Difference> {
    changed(before, after, |field, before, after| before == after || !is_patch(field, before, after))
}

/// Versions of what is around the program, and how many of its first numbers must be the same: a point release mends what is
/// broken. A driver has one number for its branch.
const VERSIONS: [(&str, usize); 3] = [("kernel", 2), ("os", 2), ("gpu_driver", 1)];

/// Whether two values of a field are one version but for its patch level: 6.8.0-45 and 6.8.0-47.
fn is_patch(field: &str, before: &Value, after: &Value) -> bool {
    let Some((_, numbers)) = VERSIONS.iter().find(|(name, _)| *name == field) else { return false };
    let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else { return false };
    let first = |text: &str| {
        let parts = text.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
        parts.take(*numbers).map(str::to_owned).collect::<Vec<String>>()
    };
    let name = |text: &str| text.chars().take_while(|letter| !letter.is_ascii_digit()).collect::<String>();
    let (old, new) = (first(before), first(after));
    before != after && old.len() == *numbers && old == new && name(before) == name(after)
}

fn changed(before: &Environment, after: &Environment, same: impl Fn(&str, &Value, &Value) -> bool) -> Vec<Difference> {
    let fields = |environment| serde_json::to_value(environment).unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    let pairs = before.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key, value, after.get(key)?)));
    pairs
        .filter(|(key, before, after)| !same(key, before, after))
        .map(|(key, before, after)| Difference::new(key, before, after))
        .collect()
}

fn close(before: &Value, after: &Value) -> bool {
    before.as_f64().zip(after.as_f64()).is_some_and(|(before, after)| (before - after).abs() <= SAME_MEMORY * before)
}

/// In what two runs as a whole differ: the environment but for the fields `allowed`, and what was asked of every candidate.
pub fn runs(before: &Digest, after: &Digest, allowed: &[String]) -> Vec<Difference> {
    let mut differences = environments(&before.environment, &after.environment);
    differences.retain(|difference| !allowed.contains(&difference.what));
    let (old, new) = (&before.settings, &after.settings);
    if old.seed != new.seed {
        differences.push(Difference::new("seed", old.seed, new.seed));
    }
    differences.extend(answer_lengths(old, new));
    if let (Some(old), Some(new)) = (old.today, new.today)
        && old != new
    {
        differences.push(Difference::new("day that chat templates are told", old, new));
    }
    differences
}

/// Whether the longest answer that was allowed differs.
pub(super) fn answer_lengths(before: &Settings, after: &Settings) -> Option<Difference> {
    let show = |limit: Option<u32>| limit.map_or("the prompts' own".to_owned(), |limit| limit.to_string());
    let (old, new) = (before.max_new_tokens, after.max_new_tokens);
    (old != new).then(|| Difference::new("longest answer", show(old), show(new)))
}

/// In what two runs of a suite differ: its prompts.
pub fn suites(suite: &str, before: &Digest, after: &Digest) -> Option<Difference> {
    let hash =
        |digest: &Digest| digest.settings.suites.get(suite).map(|hash| hash.chars().take(12).collect::<String>());
    let (before, after) = (hash(before), hash(after));
    let show = |hash: Option<String>| hash.unwrap_or("not run".to_owned());
    (before != after).then(|| Difference::new(&format!("prompts of suite {suite}"), show(before), show(after)))
}

/// In what a candidate differs from itself: its checkpoint.
pub fn rows(before: &RowDigest, after: &RowDigest) -> Option<Difference> {
    let (old, new) = (before.checkpoint.as_ref()?, after.checkpoint.as_ref()?);
    if old == new {
        return None;
    }
    let difference = match (&old.commit, &new.commit) {
        (Some(old), Some(new)) if old != new => Difference::new("commit of the checkpoint", old, new),
        _ => Difference::new("files of the checkpoint", files(old), files(new)),
    };
    Some(difference)
}

fn files(facts: &CheckpointFacts) -> String {
    let hash = |file: &crate::record::FileFacts| {
        let hash = file.sha256.as_deref().map(|hash| hash.chars().take(12).collect::<String>());
        format!("{} ({})", file.path, hash.unwrap_or_else(|| format!("{} bytes", file.bytes)))
    };
    facts.files.iter().map(hash).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    fn environment() -> Environment {
        testing::run(Vec::new()).environment
    }

    #[test]
    fn another_build_of_the_program_is_no_difference() {
        let newer =
            Environment { program_version: "0.2.0".into(), program_commit: Some("abc".into()), ..environment() };
        let newer = Environment { candle_version: Some("0.12.0".into()), ..newer };
        assert_eq!(environments(&environment(), &newer), []);
    }

    #[test]
    fn a_point_release_is_told_and_compares() {
        let of = |kernel: &str, driver: &str| Environment {
            kernel: Some(kernel.into()),
            gpu_driver: Some(driver.into()),
            ..environment()
        };
        let before = of("6.8.0-45-generic", "550.54.15");
        let patched = of("6.8.0-47-generic", "550.90.07");
        assert_eq!(environments(&before, &patched), []);
        let what = |found: Vec<Difference>| found.into_iter().map(|one| one.what).collect::<Vec<_>>();
        assert_eq!(what(patches(&before, &patched)), ["kernel", "gpu_driver"]);
        let other = of("6.11.0-45-generic", "560.35.03");
        assert_eq!(what(environments(&before, &other)), ["kernel", "gpu_driver"]);
        assert_eq!((patches(&before, &other), patches(&before, &before)), (vec![], vec![]));
    }

    #[test]
    fn another_processor_is() {
        let other = Environment { cpu: "Intel Xeon".into(), ..environment() };
        assert_eq!(
            environments(&environment(), &other),
            [Difference::new("cpu", "\"AMD EPYC 9B45\"", "\"Intel Xeon\"")]
        );
    }

    #[test]
    fn another_card_or_another_state_of_it_is_and_one_that_is_unknown_is_none() {
        let card = Environment {
            gpu_uuid_hash: Some("aa".into()),
            gpu_power_limit_milliwatts: Some(72_000),
            container: Some("none".into()),
            ..environment()
        };
        let another = Environment {
            gpu_uuid_hash: Some("bb".into()),
            gpu_power_limit_milliwatts: Some(60_000),
            container: Some("docker".into()),
            ..environment()
        };
        let differ: Vec<String> = environments(&card, &another).into_iter().map(|found| found.what).collect();
        assert_eq!(differ, ["container", "gpu_uuid_hash", "gpu_power_limit_milliwatts"]);
        assert_eq!(environments(&card, &environment()), []);
    }

    #[test]
    fn memory_need_not_be_the_same_to_the_byte() {
        let with = |memory_bytes| Environment { memory_bytes, ..environment() };
        let full = with(Some(24 << 30));
        assert_eq!(environments(&full, &with(Some((24 << 30) - (100 << 20)))), []);
        assert_eq!(environments(&full, &with(Some(16 << 30))).len(), 1);
        assert_eq!(environments(&full, &with(None)), []);
    }
}
