//! A check as a comment on a pull request: the outcome, what became worse, and all else folded away.

use super::page::page;
use crate::compare::Check;
use crate::report::markdown::block;
use crate::report::page::Form;

/// Stands at the top, where nobody sees it: by it a workflow finds its own comment again.
const MARKER: &str = "<!-- bench check -->";

/// GitHub refuses a comment of more characters.
const LONGEST: usize = 65_536;

/// The comment. Ends with a line feed.
pub fn render(check: &Check) -> String {
    let mut text = MARKER.to_owned();
    for (index, block) in page(check, Form::Document).blocks.iter().map(block).enumerate() {
        let gap = if index == 0 { "\n" } else { "\n\n" };
        if text.len() + block.len() < LONGEST - 200 {
            text.push_str(&format!("{gap}{block}"));
        } else {
            text.push_str("\n\nA part is left out, since it is too long for a comment: see the other formats.");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing;

    #[test]
    fn what_is_worse_is_in_the_open_and_the_rest_is_folded() {
        insta::assert_snapshot!(render(&testing::everything()), @r#"
        <!-- bench check -->
        ### Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing

        run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        - qwen2.5-7b q4_k, speed pp128+tg64: decode was 20.0 tok/s and is 17.8 tok/s: -11.0 %, 99.4 % interval -11.7 … -10.2 %; the tolerance is 5 %
        - qwen2.5-7b q4_k: Korean pass rate was 20 of 20: 100 % (84 to 100) and is 11 of 20: 55 % (34 to 74): 9 lost (interview 00, interview 01, interview 02, interview 03, interview 04 and 4 more), 0 gained, p = 0.0039
        - 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100%: speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now
        - 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100%: interview ko p\|1, trial 0: the answer parts at output token 2: token 13 before, the end now
        - llama-3-8b q8_0: it fails: needs 8.00 GiB, &lt;6.00 GiB&gt; \| are free &amp; so on

        <details>
        <summary>All figures</summary>

        | candidate | prompts | metric | before | after | n | tolerance | change | verdict |
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |
        | qwen2.5-7b q4_k | speed pp128+tg64 | TTFT | 500 ms | 502 ms | 20+20 | 5 % | +0.4 % (-0.2 … +1.0 %) | \~ |
        | qwen2.5-7b q4_k | speed pp128+tg64 | decode | 20.0 tok/s | 17.8 tok/s | 20+20 | 5 % | -11.0 % (-11.7 … -10.2 %) | REGRESSED |
        | qwen2.5-7b q4_k | speed pp512+tg64 | TTFT | 2.00 s | 1.60 s | 20+20 | 5 % | -20.0 % (-20.7 … -19.3 %) | improved |
        | qwen2.5-7b q4_k | speed pp512+tg64 | decode | 19.5 tok/s | 18.7 tok/s | 20+20 | 5 % | -4.1 % (-7.6 … -0.5 %) | inconclusive |
        | qwen2.5-7b q4_k | interview | decode | 19.0 tok/s | 19.0 tok/s | 1+1 | 5 % | — | inconclusive |
        | qwen2.5-7b q4_k |  | memory | 4.00 GiB | 4.00 GiB | 1+1 | 5 % | 0 % (-0.2 … +0.2 %) | \~ |
        | qwen2.5-7b q4_k |  | load | 4.20 s | 4.30 s | 1+1 | 25 % | +2.4 % (-6.9 … +12.6 %) | \~ |
        | 한국어 &lt;모델&gt;\|"큰" &amp; '작은', 둘째: 100% | speed pp128+tg64 | decode | 10.0 tok/s | 10.0 tok/s | 20+20 | 5 % | 0 % (-0.6 … +0.6 %) | \~ |
        | gemma-2-9b q8_0 | speed pp128+tg64 | decode | 10.0 tok/s | 10.0 tok/s | 20+20 | 5 % | — | incomparable |
        | llama-3-8b q8_0 | speed pp128+tg64 | decode | 10.0 tok/s | — | 20+0 | 5 % | — | incomparable |
        | exaone-3.5-7.8b q8_0 | speed pp128+tg64 | decode | 10.0 tok/s | 8.00 tok/s | 20+20 | 5 % | -20.0 % (-20.6 … -19.4 %) | inconclusive |

        </details>

        <details>
        <summary>What the answers are worth</summary>

        | candidate | answers | before | after | prompts | lost | gained | points | verdict |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
        | qwen2.5-7b q4_k | Korean fidelity | 100 % | 100 % | 20 | 0 | 0 | +0.0 (-16 … +16) | \~ |
        | qwen2.5-7b q4_k | Korean pass rate | 100 % | 55 % | 20 | 9 | 0 | -45.0 (-66 … -20) | REGRESSED |

        </details>

        <details>
        <summary>What else there is to say</summary>

        - gemma-2-9b q8_0, speed pp128+tg64: commit of the checkpoint was a09a35458c702b33eeacc393d103063234e8bc28 and is b20e87b4c5c0e0f00527c57df41dd19db03ed98d
        - llama-3-8b q8_0, speed pp128+tg64: values of decode was 20 and is 0
        - qwen2.5-7b q4_k, speed pp512+tg64: decode was 19.5 tok/s and is 18.7 tok/s: -4.1 %, 95 % interval -7.6 … -0.5 %, which reaches over the tolerance of 5 %; about 565 more trials on each side would decide; the smallest fall that this run could have seen is 10.1 %
        - qwen2.5-7b q4_k, interview: too few prompts for an interval, 1 before and 1 now: it needs 5 more
        - exaone-3.5-7.8b q8_0, speed pp128+tg64: other programs (rust\|c, ld) were busy on the machine during 9 of 20 trials: run again when it is quiet
        - qwen2.5-7b q4_k, speed pp512+tg64: TTFT was 2.00 s and is 1.60 s: -20.0 %, 99.3 % interval -20.7 … -19.3 %; better by more than the tolerance of 5 %
        - To compare: run again what the baseline ran (bench check --measure), save a new baseline (bench baseline save), compare two builds on this machine (bench check --ab), or let a field of the environment differ (--allow-environment kernel)
        - not in the baseline, and not judged: new\|one

        </details>
        "#);
    }

    #[test]
    fn a_check_that_found_nothing() {
        insta::assert_snapshot!(render(&testing::unchanged()), @r#"
        <!-- bench check -->
        ### Check passed: 4 within noise

        Run 20261101-081500-77aa is checked against itself: that shows nothing. Measure again (bench check --measure)

        run 20261101-081500-77aa (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        <details>
        <summary>All figures</summary>

        | candidate | prompts | metric | before | after | n | tolerance | change | verdict |
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |
        | qwen2.5-7b q4_k | speed pp128+tg64 | TTFT | 500 ms | 500 ms | 20+20 | 5 % | 0 % (-0.6 … +0.6 %) | \~ |
        | qwen2.5-7b q4_k | speed pp128+tg64 | decode | 20.0 tok/s | 20.0 tok/s | 20+20 | 5 % | 0 % (-0.6 … +0.6 %) | \~ |
        | qwen2.5-7b q4_k |  | memory | 4.00 GiB | 4.00 GiB | 1+1 | 5 % | 0 % (-0.2 … +0.2 %) | \~ |
        | qwen2.5-7b q4_k |  | load | 4.20 s | 4.20 s | 1+1 | 25 % | 0 % (-9.1 … +10.0 %) | \~ |

        </details>
        "#);
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_heading_whatever_a_name_has_in_it() {
        let text = render(&testing::everything());
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        let check = testing::everything();
        // Each table has a heading and a line below it; both have as many columns.
        assert_eq!(rows.len(), 2 + check.figures().count() + 2 + check.qualities().count());
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
