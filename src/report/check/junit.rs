//! A check as JUnit XML, which CI systems show as tests: a suite a candidate, a test a figure.
//!
//! The format has no standard. What is written is valid by both schemas that tools go by: the strict one of Ant's reports
//! (<https://github.com/windyroad/JUnit-Schema>) and that of Jenkins
//! (<https://github.com/jenkinsci/xunit-plugin>, `junit-10.xsd`).

#[cfg(test)]
mod tests;

use super::words;
use crate::compare::{Check, FigureCheck, QualityCheck, RowCheck, Verdict};
use crate::report::escape::in_xml;
use crate::units::Share;

/// The document. Ends with a line feed.
pub fn render(check: &Check) -> String {
    let mut suites: Vec<Suite> = check.rows.iter().map(Suite::of).collect();
    if check.verdicts().next().is_none() {
        // Without a test, a CI system has nothing to complain of.
        suites.push(Suite::without_figures(check));
    }
    let suites: Vec<String> = suites.iter().enumerate().map(|(id, suite)| suite.written(id, check)).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{}</testsuites>\n", suites.concat())
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    finding: CaseResult,
    /// What was found, in a line or several.
    details: String,
}

/// What became of a case: each with a word for its type, and a message.
enum CaseResult {
    Passed,
    Failed(&'static str, String),
    /// It could not be told whether it fails.
    Errored(&'static str, String),
    /// Not decided: neither passed nor failed.
    Skipped(String),
}

impl CaseResult {
    fn of(verdict: &Verdict, reason: impl Fn() -> Option<String>) -> Self {
        let reason = || reason().unwrap_or_default();
        match verdict {
            Verdict::Improved | Verdict::WithinNoise => CaseResult::Passed,
            Verdict::Regressed => CaseResult::Failed("regressed", reason()),
            Verdict::Incomparable(_) => CaseResult::Errored("incomparable", reason()),
            Verdict::Inconclusive(_) => CaseResult::Skipped(reason()),
        }
    }
}

impl Suite {
    fn of(row: &RowCheck) -> Self {
        let failure = row.failure.iter().map(|failure| Case {
            name: "requests".to_owned(),
            finding: CaseResult::Failed("failure", failure.clone()),
            details: failure.clone(),
        });
        let answers = (row.answers_compared > 0).then(|| Case::answers(row));
        let qualities = row.quality.iter().map(Case::quality);
        let cases = failure.chain(row.figures.iter().map(Case::figure)).chain(qualities).chain(answers);
        Self { name: row.row.clone(), cases: cases.collect() }
    }

    fn without_figures(check: &Check) -> Self {
        let outcome = words::outcome(check);
        let finding = CaseResult::Errored("incomparable", outcome.clone());
        Self { name: "bench check".into(), cases: vec![Case { name: "figures".into(), finding, details: outcome }] }
    }

    fn written(&self, id: usize, check: &Check) -> String {
        let count = |wanted: fn(&CaseResult) -> bool| self.cases.iter().filter(|case| wanted(&case.finding)).count();
        let name = in_xml(&self.name);
        let properties = [("check", words::sides(check)), ("outcome", words::outcome(check))];
        let properties = properties
            .map(|(name, value)| format!("      <property name=\"{name}\" value=\"{}\"/>\n", in_xml(&value)))
            .concat();
        let cases: Vec<String> = self.cases.iter().map(|case| case.written(&name)).collect();
        let details: Vec<String> =
            self.cases.iter().map(|case| format!("{}: {}\n", in_xml(&case.name), in_xml(&case.details))).collect();
        format!(
            // Time is that of judging; of a host nothing is known beside its device.
            "  <testsuite name=\"{name}\" package=\"bench\" id=\"{id}\" hostname=\"localhost\" timestamp=\"{}\" time=\"0\" \
             tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n    <properties>\n{properties}    </properties>\n\
             {}    <system-out>{}</system-out>\n    <system-err/>\n  </testsuite>\n",
            check.after.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
            self.cases.len(),
            count(|finding| matches!(finding, CaseResult::Failed(..))),
            count(|finding| matches!(finding, CaseResult::Errored(..))),
            count(|finding| matches!(finding, CaseResult::Skipped(_))),
            cases.concat(),
            details.concat(),
        )
    }
}

impl Case {
    fn figure(figure: &FigureCheck) -> Self {
        let place = words::prompts(&figure.place);
        let finding = CaseResult::of(&figure.judgement.verdict, || words::reason(figure));
        let details = format!(
            "{} before, {} now, n {}, change {}, tolerance {}: {}",
            words::value(figure.metric, figure.before),
            words::value(figure.metric, figure.after),
            words::counts(figure),
            words::change(figure),
            Share(figure.tolerance),
            words::verdict(&figure.judgement.verdict)
        );
        Self { name: format!("{place} {}", figure.metric.label()).trim_start().to_owned(), finding, details }
    }

    fn quality(quality: &QualityCheck) -> Self {
        let finding = CaseResult::of(&quality.verdict, || words::reason_of_quality(quality));
        let QualityCheck { row, rate, before, after, .. } = quality;
        let details = format!(
            "{row}: {before} before, {after} now, tolerance {}: {}",
            Share(quality.tolerance),
            words::verdict(&quality.verdict)
        );
        Self { name: rate.to_string(), finding, details }
    }

    fn answers(row: &RowCheck) -> Self {
        let (changed, compared) = (row.answers.len(), row.answers_compared);
        let finding = match changed {
            0 => CaseResult::Passed,
            _ => CaseResult::Failed("answers", format!("{changed} prompts are answered with other tokens")),
        };
        let parted = row.answers.iter().map(|changed| format!("\n{}", words::answer(changed)));
        let details = format!("{compared} answers compared{}", parted.collect::<String>());
        Self { name: "answers".to_owned(), finding, details }
    }

    fn written(&self, class: &str) -> String {
        let open = format!("    <testcase classname=\"{class}\" name=\"{}\" time=\"0\"", in_xml(&self.name));
        let (element, kind, message) = match &self.finding {
            CaseResult::Passed => return open + "/>\n",
            CaseResult::Failed(kind, message) => ("failure", format!(" type=\"{kind}\""), message),
            CaseResult::Errored(kind, message) => ("error", format!(" type=\"{kind}\""), message),
            CaseResult::Skipped(message) => ("skipped", String::new(), message),
        };
        let (message, details) = (in_xml(message), in_xml(&self.details));
        let inside = format!("<{element}{kind} message=\"{message}\">{details}</{element}>");
        format!("{open}>\n      {inside}\n    </testcase>\n")
    }
}
