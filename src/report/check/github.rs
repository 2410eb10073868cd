//! A check as workflow commands of GitHub Actions, which shows them as annotations of the run.
//!
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>

use super::words::{self, Remark, Weight};
use crate::compare::{Check, Outcome};

/// A command a line, the heaviest first: GitHub shows ten errors and ten warnings of a step. Ends with a line feed.
pub fn render(check: &Check) -> String {
    let level = match check.outcome() {
        Outcome::Regressed | Outcome::Incomparable => "error",
        Outcome::Inconclusive => "warning",
        Outcome::Passed => "notice",
    };
    let remarks = words::by_weight(check);
    let remarks = remarks.iter().map(|Remark { place, text, weight }| command(self::level(*weight), place, text));
    let commands: Vec<String> =
        std::iter::once(command(level, "bench check", &words::outcome(check))).chain(remarks).collect();
    commands.join("\n") + "\n"
}

fn level(weight: Weight) -> &'static str {
    match weight {
        Weight::Worse | Weight::Incomparable => "error",
        Weight::Undecided => "warning",
        Weight::Better => "notice",
    }
}

fn command(level: &str, title: &str, message: &str) -> String {
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{}", data(message))
}

/// A command is one line; what the runner takes for the end of a part is escaped as its own toolkit does
/// (<https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing;

    #[test]
    fn each_remark_is_a_command_of_its_own() {
        insta::assert_snapshot!(render(&testing::everything()), @r#"
        ::error title=bench check::Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing
        ::error title=qwen2.5-7b q4_k%2C speed pp128+tg64::decode was 20.0 tok/s and is 17.8 tok/s: -11.0 %25, 99.4 %25 interval -11.7 … -10.2 %25; the tolerance is 5 %25
        ::error title=qwen2.5-7b q4_k::Korean pass rate was 20 of 20: 100 %25 (84 to 100) and is 11 of 20: 55 %25 (34 to 74): 9 lost (interview 00, interview 01, interview 02, interview 03, interview 04 and 4 more), 0 gained, p = 0.0039
        ::error title=한국어 <모델>|"큰" & '작은'%2C%0A둘째%3A 100%25::speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now
        ::error title=한국어 <모델>|"큰" & '작은'%2C%0A둘째%3A 100%25::interview ko p|1, trial 0: the answer parts at output token 2: token 13 before, the end now
        ::error title=llama-3-8b q8_0::it fails: needs 8.00 GiB,%0A<6.00 GiB> | are free & so on
        ::error title=gemma-2-9b q8_0%2C speed pp128+tg64::commit of the checkpoint was a09a35458c702b33eeacc393d103063234e8bc28 and is b20e87b4c5c0e0f00527c57df41dd19db03ed98d
        ::error title=llama-3-8b q8_0%2C speed pp128+tg64::values of decode was 20 and is 0
        ::warning title=qwen2.5-7b q4_k%2C speed pp512+tg64::decode was 19.5 tok/s and is 18.7 tok/s: -4.1 %25, 95 %25 interval -7.6 … -0.5 %25, which reaches over the tolerance of 5 %25; about 565 more trials on each side would decide; the smallest fall that this run could have seen is 10.1 %25
        ::warning title=qwen2.5-7b q4_k%2C interview::too few prompts for an interval, 1 before and 1 now: it needs 5 more
        ::warning title=exaone-3.5-7.8b q8_0%2C speed pp128+tg64::other programs (rust|c, ld) were busy on the machine during 9 of 20 trials: run again when it is quiet
        ::notice title=qwen2.5-7b q4_k%2C speed pp512+tg64::TTFT was 2.00 s and is 1.60 s: -20.0 %25, 99.3 %25 interval -20.7 … -19.3 %25; better by more than the tolerance of 5 %25
        "#);
    }

    #[test]
    fn a_check_that_found_nothing_is_a_notice() {
        insta::assert_snapshot!(render(&testing::unchanged()), @r#"::notice title=bench check::Check passed: 4 within noise"#);
    }

    #[test]
    fn no_name_ends_its_part_or_its_line() {
        let lines = command("error", "a::b,title=c\r\nd 5%", "e\n::stop-commands::x, 5 %: f");
        assert_eq!(lines, "::error title=a%3A%3Ab%2Ctitle=c%0D%0Ad 5%25::e%0A::stop-commands::x, 5 %25: f");
    }
}
