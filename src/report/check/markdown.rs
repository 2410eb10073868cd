//! A check as a comment on a pull request: the outcome, what became worse, and all else folded away.

use super::words::{self, Weight};
use crate::compare::{Check, FigureCheck};
use crate::report::escape::escaped;
use crate::report::markdown::Table;
use crate::units::Share;

/// Stands at the top, where nobody sees it: by it a workflow finds its own comment again.
const MARKER: &str = "<!-- bench check -->";

/// GitHub refuses a comment of more characters.
const LONGEST: usize = 65_536;

/// A comment is read only if it is short. Beyond so many lines, a table says more.
const MOST_LINES: usize = 50;

/// The comment. Ends with a line feed.
pub fn render(check: &Check) -> String {
    let (worse, other): (Vec<_>, Vec<_>) =
        words::by_weight(check).into_iter().partition(|remark| remark.weight == Weight::Worse);
    let other = other.iter().map(ToString::to_string);
    let other = other.chain(words::advice(check).map(str::to_owned)).chain(words::new_rows(check));
    let mut text = format!("{MARKER}\n### {}\n\n{}", escaped(&words::outcome(check)), escaped(&words::sides(check)));
    let open = list(worse.iter().map(ToString::to_string).collect());
    let folds = [("All figures", figures(check)), ("What else there is to say", list(other.collect()))];
    let folds = folds.into_iter().filter_map(|(title, inside)| Some(folded(title, &inside?)));
    for section in open.into_iter().chain(folds) {
        if text.len() + section.len() < LONGEST - 200 {
            text.push_str(&format!("\n\n{section}"));
        } else {
            text.push_str("\n\nA part is left out, since it is too long for a comment: see the other formats.");
        }
    }
    text + "\n"
}

/// `None` of nothing.
fn list(lines: Vec<String>) -> Option<String> {
    let more = lines.len().saturating_sub(MOST_LINES);
    let mut items: Vec<String> = lines.iter().take(MOST_LINES).map(|line| format!("- {}", escaped(line))).collect();
    items.extend((more > 0).then(|| format!("- and {more} more: see the other formats")));
    (!items.is_empty()).then(|| items.join("\n"))
}

/// The blank lines end GitHub's HTML blocks, so that Markdown counts again in between.
fn folded(title: &str, inside: &str) -> String {
    format!("<details>\n<summary>{title}</summary>\n\n{inside}\n\n</details>")
}

fn figures(check: &Check) -> Option<String> {
    let headings = ["candidate", "prompts", "metric", "verdict", "before", "after", "n", "change", "tolerance"];
    let mut table = Table::new(4, headings.map(String::from).into_iter());
    for figure in check.figures() {
        table.row(cells(figure).into_iter().map(|cell| escaped(&cell).into_owned()));
    }
    table.finished()
}

fn cells(figure: &FigureCheck) -> [String; 9] {
    [
        figure.place.row.clone(),
        words::prompts(&figure.place),
        figure.metric.label().to_owned(),
        words::verdict_cell(&figure.judgement.verdict).to_owned(),
        words::value(figure.metric, figure.before),
        words::value(figure.metric, figure.after),
        words::counts(figure),
        words::change(figure),
        Share(figure.tolerance).to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing;

    #[test]
    fn what_is_worse_is_in_the_open_and_the_rest_is_folded() {
        insta::assert_snapshot!(render(&testing::everything()), @r#"
        <!-- bench check -->
        ### Check regressed: 1 regressed, 1 improved, 4 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing

        run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        - qwen2.5-7b q4_k, speed pp128+tg64: decode was 20.0 tok/s and is 17.8 tok/s: -11.0 %, 99.3 % interval -11.7 … -10.2 %; the tolerance is 5 %
        - 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100%: speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now
        - 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100%: interview ko p\|1, trial 0: the answer parts at output token 2: token 13 before, the end now
        - llama-3-8b q8_0: it fails: needs 8.00 GiB, &lt;6.00 GiB&gt; \| are free &amp; so on

        <details>
        <summary>All figures</summary>

        | candidate | prompts | metric | verdict | before | after | n | change | tolerance |
        | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b q4_k | speed pp128+tg64 | TTFT | \~ | 500 ms | 502 ms | 20+20 | +0.4 % (-0.2 … +1.0 %) | 5 % |
        | qwen2.5-7b q4_k | speed pp128+tg64 | decode | REGRESSED | 20.0 tok/s | 17.8 tok/s | 20+20 | -11.0 % (-11.7 … -10.2 %) | 5 % |
        | qwen2.5-7b q4_k | speed pp512+tg64 | TTFT | improved | 2.00 s | 1.60 s | 20+20 | -20.0 % (-20.6 … -19.4 %) | 5 % |
        | qwen2.5-7b q4_k | speed pp512+tg64 | decode | inconclusive | 19.5 tok/s | 18.7 tok/s | 20+20 | -4.1 % (-7.6 … -0.5 %) | 5 % |
        | qwen2.5-7b q4_k | interview | decode | inconclusive | 19.0 tok/s | 19.0 tok/s | 1+1 | — | 5 % |
        | qwen2.5-7b q4_k |  | memory | \~ | 4.00 GiB | 4.00 GiB | 1+1 | 0 % (-0.2 … +0.2 %) | 5 % |
        | qwen2.5-7b q4_k |  | load | \~ | 4.20 s | 4.30 s | 1+1 | +2.4 % (-6.9 … +12.6 %) | 25 % |
        | 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100% | speed pp128+tg64 | decode | \~ | 10.0 tok/s | 10.0 tok/s | 20+20 | 0 % (-0.6 … +0.6 %) | 5 % |
        | gemma-2-9b q8_0 | speed pp128+tg64 | decode | incomparable | 10.0 tok/s | 10.0 tok/s | 20+20 | — | 5 % |
        | llama-3-8b q8_0 | speed pp128+tg64 | decode | incomparable | 10.0 tok/s | — | 20+0 | — | 5 % |
        | exaone-3.5-7.8b q8_0 | speed pp128+tg64 | decode | inconclusive | 10.0 tok/s | 10.0 tok/s | 20+20 | — | 5 % |

        </details>

        <details>
        <summary>What else there is to say</summary>

        - gemma-2-9b q8_0, speed pp128+tg64: commit of the checkpoint was a09a35458c702b33eeacc393d103063234e8bc28 and is b20e87b4c5c0e0f00527c57df41dd19db03ed98d
        - llama-3-8b q8_0, speed pp128+tg64: values of decode was 20 and is 0
        - qwen2.5-7b q4_k, speed pp512+tg64: decode was 19.5 tok/s and is 18.7 tok/s: -4.1 %, 95 % interval -7.6 … -0.5 %, which reaches over the tolerance of 5 %; about 565 more trials on each side would decide; the smallest fall that this run could have seen is 10.1 %
        - qwen2.5-7b q4_k, interview: too few trials for an interval, 1 before and 1 now: it takes 5 more
        - exaone-3.5-7.8b q8_0, speed pp128+tg64: other programs (rust\|c, ld) were busy on the machine, or its GPU was too hot, during 9 of 20 trials: run again when it is quiet
        - qwen2.5-7b q4_k, speed pp512+tg64: TTFT was 2.00 s and is 1.60 s: -20.0 %, 99.2 % interval -20.6 … -19.4 %; better by more than the tolerance of 5 %
        - To compare: run again what the baseline ran (bench check --measure), save a new baseline (bench baseline save), or compare two builds on this machine (bench check --ab)
        - not in the baseline, and not judged: new\|one

        </details>
        "#);
    }

    #[test]
    fn a_check_that_found_nothing() {
        insta::assert_snapshot!(render(&testing::unchanged()), @r"
        <!-- bench check -->
        ### Check passed: 4 within noise

        run 20261101-081500-77aa (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        <details>
        <summary>All figures</summary>

        | candidate | prompts | metric | verdict | before | after | n | change | tolerance |
        | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b q4_k | speed pp128+tg64 | TTFT | \~ | 500 ms | 500 ms | 20+20 | 0 % (-0.6 … +0.6 %) | 5 % |
        | qwen2.5-7b q4_k | speed pp128+tg64 | decode | \~ | 20.0 tok/s | 20.0 tok/s | 20+20 | 0 % (-0.6 … +0.6 %) | 5 % |
        | qwen2.5-7b q4_k |  | memory | \~ | 4.00 GiB | 4.00 GiB | 1+1 | 0 % (-0.2 … +0.2 %) | 5 % |
        | qwen2.5-7b q4_k |  | load | \~ | 4.20 s | 4.20 s | 1+1 | 0 % (-9.1 … +10.0 %) | 25 % |

        </details>
        ");
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_heading_whatever_a_name_has_in_it() {
        let text = render(&testing::everything());
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(rows.len(), 2 + testing::everything().figures().count());
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 10, "{row}");
        }
    }

    #[test]
    fn github_takes_the_comment_however_much_there_is_to_say() {
        let mut check = testing::everything();
        let answers = vec![check.rows[1].answers.clone(); 400].concat();
        check.rows[1].answers = answers;
        let figures = vec![check.rows[0].figures.clone(); 400].concat();
        check.rows[0].figures = figures;
        let text = render(&check);
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(text.contains("more: see the other formats") && text.contains("A part is left out"), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
