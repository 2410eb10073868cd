//! A check as a page: a table like benchstat's, `~` where nothing is shown to have changed, and what there is to say of it.

use super::words::{self, Weight};
use crate::compare::{Check, FigureCheck, QualityCheck, RowCheck};
use crate::report::page::{Align, Block, Column, Form, Page, Table};
use crate::summarize::Rate;
use crate::units::{Share, UNKNOWN};

/// A comment is read only if it is short. Beyond so many lines, a table says more.
const MOST_LINES: usize = 50;

/// The page of a check. A screen ends with the outcome; a document begins with it, and folds away what is not worse.
pub fn page(check: &Check, form: Form) -> Page {
    let outcome = words::outcome(check);
    let sides = Block::Paragraph(words::sides(check));
    let advice = || words::advice(check).map(str::to_owned).into_iter().chain(words::new_rows(check));
    let warning = words::warning(check).map(Block::Paragraph);
    let environments = words::environments(check);
    match form {
        Form::Screen => {
            let remarks = check.rows.iter().flat_map(words::remarks).map(|remark| remark.to_string());
            let list = Block::list(environments.into_iter().chain(remarks).chain(advice()).collect());
            let blocks = warning.into_iter().chain([sides]).chain(figures(check)).chain(qualities(check)).chain(list);
            Page::new(blocks.chain([Block::Heading(outcome)]))
        }
        Form::Document => {
            let (worse, other): (Vec<_>, Vec<_>) =
                words::by_weight(check).into_iter().partition(|remark| remark.weight == Weight::Worse);
            let worse = short_list(worse.iter().map(ToString::to_string).collect());
            let other = short_list(other.iter().map(ToString::to_string).chain(advice()).collect());
            let folds = [
                ("All figures", figures(check)),
                ("What the answers are worth", qualities(check)),
                ("What else there is to say", other),
            ];
            let folds = folds
                .into_iter()
                .filter_map(|(title, block)| Some(Block::Fold { title: title.to_owned(), blocks: vec![block?] }));
            let head =
                [Block::Title(outcome)].into_iter().chain(warning).chain([sides]).chain(Block::list(environments));
            Page::new(head.chain(worse).chain(folds))
        }
    }
}

fn short_list(mut lines: Vec<String>) -> Option<Block> {
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    lines.extend((more > 0).then(|| format!("and {more} more: see the other formats")));
    Block::list(lines)
}

/// Nothing of a check without figures.
fn figures(check: &Check) -> Option<Block> {
    let column = |heading: &str, align, cell: &dyn Fn(&FigureCheck) -> String| {
        Column::new(heading, align, check.figures().map(cell))
    };
    let verdict = |figure: &FigureCheck| words::verdict_cell(&figure.judgement.verdict).to_owned();
    let table = Table {
        names: vec![
            column("candidate", Align::Left, &|figure| figure.place.row.clone()),
            column("prompts", Align::Left, &|figure| words::prompts(&figure.place)),
            column("metric", Align::Left, &|figure| figure.metric.label().to_owned()),
        ],
        columns: vec![
            column("before", Align::Right, &|figure| words::value(figure.metric, figure.before)),
            column("after", Align::Right, &|figure| words::value(figure.metric, figure.after)).joined(),
            column("n", Align::Right, &words::counts).joined(),
            column("tolerance", Align::Right, &|figure| Share(figure.tolerance).to_string()).joined(),
            // All in one table do not fit eighty columns.
            column("change", Align::Right, &words::change),
            column("verdict", Align::Left, &verdict).joined(),
        ],
    };
    (table.rows() > 0).then_some(Block::Table(table))
}

/// Nothing of a check whose answers were not judged.
fn qualities(check: &Check) -> Option<Block> {
    let lines: Vec<(&RowCheck, &QualityCheck)> =
        check.rows.iter().flat_map(|row| row.quality.iter().map(move |quality| (row, quality))).collect();
    let column = |heading: &str, align, cell: &dyn Fn(&QualityCheck) -> String| {
        Column::new(heading, align, lines.iter().map(|(_, quality)| cell(quality)))
    };
    let share = |rate: Rate| rate.share().map_or(UNKNOWN.to_owned(), |share| Share(share).to_string());
    let table = Table {
        names: vec![
            Column::new("candidate", Align::Left, lines.iter().map(|(_, quality)| quality.row.clone())),
            column("answers", Align::Left, &|quality| quality.rate.to_string()),
        ],
        columns: vec![
            column("before", Align::Right, &|quality| share(quality.before)),
            column("after", Align::Right, &|quality| share(quality.after)).joined(),
            column("prompts", Align::Right, &|quality| quality.before.of.to_string()).joined(),
            column("lost", Align::Right, &|quality| quality.lost.len().to_string()).joined(),
            column("gained", Align::Right, &|quality| quality.gained.len().to_string()).joined(),
            column("points", Align::Right, &words::points),
            column("verdict", Align::Left, &|quality| words::verdict_cell(&quality.verdict).to_owned()).joined(),
        ],
    };
    (table.rows() > 0).then_some(Block::Table(table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing;
    use crate::report::{Renderer, Terminal};

    fn on_screen(check: &Check, width: Option<usize>) -> String {
        Terminal { width, color: false }.render(&page(check, Form::Screen))
    }

    #[test]
    fn a_check_on_one_line_a_figure() {
        insta::assert_snapshot!(on_screen(&testing::everything(), None), @r#"
        run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        candidate                     prompts           metric      before       after      n  tolerance                     change  verdict
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k               speed pp128+tg64  TTFT        500 ms      502 ms  20+20        5 %     +0.4 % (-0.2 … +1.0 %)  ~
        qwen2.5-7b q4_k               speed pp128+tg64  decode  20.0 tok/s  17.8 tok/s  20+20        5 %  -11.0 % (-11.7 … -10.2 %)  REGRESSED
        qwen2.5-7b q4_k               speed pp512+tg64  TTFT        2.00 s      1.60 s  20+20        5 %  -20.0 % (-20.7 … -19.3 %)  improved
        qwen2.5-7b q4_k               speed pp512+tg64  decode  19.5 tok/s  18.7 tok/s  20+20        5 %     -4.1 % (-7.6 … -0.5 %)  inconclusive
        qwen2.5-7b q4_k               interview         decode  19.0 tok/s  19.0 tok/s    1+1        5 %                          —  inconclusive
        qwen2.5-7b q4_k                                 memory    4.00 GiB    4.00 GiB    1+1        5 %        0 % (-0.2 … +0.2 %)  ~
        qwen2.5-7b q4_k                                 load        4.20 s      4.30 s    1+1       25 %    +2.4 % (-6.9 … +12.6 %)  ~
        한국어 <모델>|"큰" & '작은',  speed pp128+tg64  decode  10.0 tok/s  10.0 tok/s  20+20        5 %        0 % (-0.6 … +0.6 %)  ~
        둘째: 100%
        gemma-2-9b q8_0               speed pp128+tg64  decode  10.0 tok/s  10.0 tok/s  20+20        5 %                          —  incomparable
        llama-3-8b q8_0               speed pp128+tg64  decode  10.0 tok/s           —   20+0        5 %                          —  incomparable
        exaone-3.5-7.8b q8_0          speed pp128+tg64  decode  10.0 tok/s  8.00 tok/s  20+20        5 %  -20.0 % (-20.6 … -19.4 %)  inconclusive

        candidate        answers           before  after  prompts  lost  gained             points  verdict
        ─────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  Korean fidelity    100 %  100 %       20     0       0   +0.0 (-16 … +16)  ~
        qwen2.5-7b q4_k  Korean pass rate   100 %   55 %       20     9       0  -45.0 (-66 … -20)  REGRESSED

        qwen2.5-7b q4_k, speed pp128+tg64: decode was 20.0 tok/s and is 17.8 tok/s: -11.0 %, 99.4 % interval -11.7 … -10.2 %; the tolerance is 5 %
        qwen2.5-7b q4_k, speed pp512+tg64: TTFT was 2.00 s and is 1.60 s: -20.0 %, 99.3 % interval -20.7 … -19.3 %; better by more than the tolerance of 5 %
        qwen2.5-7b q4_k, speed pp512+tg64: decode was 19.5 tok/s and is 18.7 tok/s: -4.1 %, 95 % interval -7.6 … -0.5 %, which reaches over the tolerance of 5 %; about 565 more trials on each side would decide; the smallest fall that this run could have seen is 10.1 %
        qwen2.5-7b q4_k, interview: too few prompts for an interval, 1 before and 1 now: it needs 5 more
        qwen2.5-7b q4_k: Korean pass rate was 20 of 20: 100 % (84 to 100) and is 11 of 20: 55 % (34 to 74): 9 lost (interview 00, interview 01, interview 02, interview 03, interview 04 and 4 more), 0 gained, p = 0.0039
        한국어 <모델>|"큰" & '작은',
        둘째: 100%: speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now
        한국어 <모델>|"큰" & '작은',
        둘째: 100%: interview ko p|1, trial 0: the answer parts at output token 2: token 13 before, the end now
        gemma-2-9b q8_0, speed pp128+tg64: commit of the checkpoint was a09a35458c702b33eeacc393d103063234e8bc28 and is b20e87b4c5c0e0f00527c57df41dd19db03ed98d
        llama-3-8b q8_0: it fails: needs 8.00 GiB,
        <6.00 GiB> | are free & so on
        llama-3-8b q8_0, speed pp128+tg64: values of decode was 20 and is 0
        exaone-3.5-7.8b q8_0, speed pp128+tg64: other programs (rust|c, ld) were busy on the machine during 9 of 20 trials: run again when it is quiet
        To compare: run again what the baseline ran (bench check --measure), save a new baseline (bench baseline save), compare two builds on this machine (bench check --ab), or let a field of the environment differ (--allow-environment kernel)
        not in the baseline, and not judged: new|one

        Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing
        "#);
    }

    #[test]
    fn a_check_in_eighty_columns() {
        let text = on_screen(&testing::everything(), Some(80));
        insta::assert_snapshot!(text, @r#"
        run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench
          0.1.0), on AMD EPYC 9B45

        candidate   prompts           metric      before       after      n  tolerance
        ──────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b  speed pp128+tg64  TTFT        500 ms      502 ms  20+20        5 %
        q4_k
        qwen2.5-7b  speed pp128+tg64  decode  20.0 tok/s  17.8 tok/s  20+20        5 %
        q4_k
        qwen2.5-7b  speed pp512+tg64  TTFT        2.00 s      1.60 s  20+20        5 %
        q4_k
        qwen2.5-7b  speed pp512+tg64  decode  19.5 tok/s  18.7 tok/s  20+20        5 %
        q4_k
        qwen2.5-7b  interview         decode  19.0 tok/s  19.0 tok/s    1+1        5 %
        q4_k
        qwen2.5-7b                    memory    4.00 GiB    4.00 GiB    1+1        5 %
        q4_k
        qwen2.5-7b                    load        4.20 s      4.30 s    1+1       25 %
        q4_k
        한국어 <모  speed pp128+tg64  decode  10.0 tok/s  10.0 tok/s  20+20        5 %
        델>|"큰" &
        '작은',
        둘째: 100%
        gemma-2-9b  speed pp128+tg64  decode  10.0 tok/s  10.0 tok/s  20+20        5 %
        q8_0
        llama-3-8b  speed pp128+tg64  decode  10.0 tok/s           —   20+0        5 %
        q8_0
        exaone-3.5  speed pp128+tg64  decode  10.0 tok/s  8.00 tok/s  20+20        5 %
        -7.8b q8_0

        candidate    prompts           metric                     change  verdict
        ──────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b   speed pp128+tg64  TTFT       +0.4 % (-0.2 … +1.0 %)  ~
        q4_k
        qwen2.5-7b   speed pp128+tg64  decode  -11.0 % (-11.7 … -10.2 %)  REGRESSED
        q4_k
        qwen2.5-7b   speed pp512+tg64  TTFT    -20.0 % (-20.7 … -19.3 %)  improved
        q4_k
        qwen2.5-7b   speed pp512+tg64  decode     -4.1 % (-7.6 … -0.5 %)  inconclusive
        q4_k
        qwen2.5-7b   interview         decode                          —  inconclusive
        q4_k
        qwen2.5-7b                     memory        0 % (-0.2 … +0.2 %)  ~
        q4_k
        qwen2.5-7b                     load      +2.4 % (-6.9 … +12.6 %)  ~
        q4_k
        한국어       speed pp128+tg64  decode        0 % (-0.6 … +0.6 %)  ~
        <모델>|"큰"
        & '작은',
        둘째: 100%
        gemma-2-9b   speed pp128+tg64  decode                          —  incomparable
        q8_0
        llama-3-8b   speed pp128+tg64  decode                          —  incomparable
        q8_0
        exaone-3.5-  speed pp128+tg64  decode  -20.0 % (-20.6 … -19.4 %)  inconclusive
        7.8b q8_0

        candidate        answers           before  after  prompts  lost  gained
        ───────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  Korean fidelity    100 %  100 %       20     0       0
        qwen2.5-7b q4_k  Korean pass rate   100 %   55 %       20     9       0

        candidate        answers                      points  verdict
        ───────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  Korean fidelity    +0.0 (-16 … +16)  ~
        qwen2.5-7b q4_k  Korean pass rate  -45.0 (-66 … -20)  REGRESSED

        qwen2.5-7b q4_k, speed pp128+tg64: decode was 20.0 tok/s and is 17.8 tok/s:
          -11.0 %, 99.4 % interval -11.7 … -10.2 %; the tolerance is 5 %
        qwen2.5-7b q4_k, speed pp512+tg64: TTFT was 2.00 s and is 1.60 s: -20.0 %,
          99.3 % interval -20.7 … -19.3 %; better by more than the tolerance of 5 %
        qwen2.5-7b q4_k, speed pp512+tg64: decode was 19.5 tok/s and is 18.7 tok/s:
          -4.1 %, 95 % interval -7.6 … -0.5 %, which reaches over the tolerance of 5 %;
          about 565 more trials on each side would decide; the smallest fall that this
          run could have seen is 10.1 %
        qwen2.5-7b q4_k, interview: too few prompts for an interval, 1 before and 1
          now: it needs 5 more
        qwen2.5-7b q4_k: Korean pass rate was 20 of 20: 100 % (84 to 100) and is 11 of
          20: 55 % (34 to 74): 9 lost (interview 00, interview 01, interview 02,
          interview 03, interview 04 and 4 more), 0 gained, p = 0.0039
        한국어 <모델>|"큰" & '작은',
          둘째: 100%: speed pp128+tg64, trial 3: the answer parts at output token 2:
          token 13 before, token 99 now
        한국어 <모델>|"큰" & '작은',
          둘째: 100%: interview ko p|1, trial 0: the answer parts at output token 2:
          token 13 before, the end now
        gemma-2-9b q8_0, speed pp128+tg64: commit of the checkpoint was
          a09a35458c702b33eeacc393d103063234e8bc28 and is
          b20e87b4c5c0e0f00527c57df41dd19db03ed98d
        llama-3-8b q8_0: it fails: needs 8.00 GiB,
          <6.00 GiB> | are free & so on
        llama-3-8b q8_0, speed pp128+tg64: values of decode was 20 and is 0
        exaone-3.5-7.8b q8_0, speed pp128+tg64: other programs (rust|c, ld) were busy
          on the machine during 9 of 20 trials: run again when it is quiet
        To compare: run again what the baseline ran (bench check --measure), save a
          new baseline (bench baseline save), compare two builds on this machine (bench
          check --ab), or let a field of the environment differ (--allow-environment
          kernel)
        not in the baseline, and not judged: new|one

        Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2
          incomparable, 2 answered otherwise, 1 failing
        "#);
    }

    #[test]
    fn a_check_that_found_nothing() {
        insta::assert_snapshot!(on_screen(&testing::unchanged(), None), @r"
        Run 20261101-081500-77aa is checked against itself: that shows nothing. Measure again (bench check --measure)

        run 20261101-081500-77aa (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        candidate        prompts           metric      before       after      n  tolerance                change  verdict
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  speed pp128+tg64  TTFT        500 ms      500 ms  20+20        5 %   0 % (-0.6 … +0.6 %)  ~
        qwen2.5-7b q4_k  speed pp128+tg64  decode  20.0 tok/s  20.0 tok/s  20+20        5 %   0 % (-0.6 … +0.6 %)  ~
        qwen2.5-7b q4_k                    memory    4.00 GiB    4.00 GiB    1+1        5 %   0 % (-0.2 … +0.2 %)  ~
        qwen2.5-7b q4_k                    load        4.20 s      4.20 s    1+1       25 %  0 % (-9.1 … +10.0 %)  ~

        Check passed: 4 within noise
        ");
    }

    #[test]
    fn without_a_figure_there_is_no_table() {
        insta::assert_snapshot!(on_screen(&testing::nothing(), None), @r#"
        Run 20261101-081500-77aa is checked against itself: that shows nothing. Measure again (bench check --measure)

        run 20261101-081500-77aa (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45

        Check could not be compared: nothing to compare
        "#);
    }
}
