use super::*;
use crate::catalog::{Budget, Quantization, Requirements, Source};
use crate::compare::testing::two_variants;
use crate::metric::{ITL_P50, Metric, PREFILL_TIME};
use crate::record::{BusyProgram, FailureKind, FitEstimate, Precision, Row, RowOutcome, Run, Trial};
use crate::report::{Markdown, Renderer, Terminal};
use crate::store::sample;
use crate::suite::Language;
use crate::summarize::testing::{
    beside, beyond_an_l4, failed, llama_8b, load, ran, row, run, run_on_l4, speed_trial, text_trial,
};

fn show(run: &Run, width: Option<usize>) -> String {
    Terminal { width, color: false }.render(&page(&Answer::of(run), Form::Screen, &[]))
}

fn markdown(run: &Run) -> String {
    Markdown.render(&page(&Answer::of(run), Form::Document, &[]))
}

fn text(n: u64, prompts: u64, ttft_ms: u64, gap_ms: u64) -> Vec<Trial> {
    (0..n)
        .map(|index| {
            let korean = index % 2 == 0;
            let text = if korean {
                "면접에서 받은 질문에 이렇게 답했습니다."
            } else {
                "I answered the question in the interview so."
            };
            let mut trial = text_trial(ttft_ms + 7 * (index % 5), gap_ms + index % 3, 25, text);
            trial.key.language = Some(if korean { Language::Ko } else { Language::En });
            trial.key.prompt = format!("p{}", index % prompts);
            trial
        })
        .collect()
}

fn speed(ttft_ms: u64, gap_ms: u64) -> Vec<Trial> {
    (0..5)
        .flat_map(|_| [speed_trial("pp128", 128, ttft_ms, gap_ms), speed_trial("pp512", 512, ttft_ms * 4, gap_ms)])
        .collect()
}

fn quantized(mut row: Row) -> Row {
    row.candidate.quantization = Some(Quantization::Q4K);
    row
}

fn realistic() -> Run {
    let both = |ttft, gap| [speed(ttft, gap), text(40, 16, ttft, gap)].concat();
    let mut half = ran("gemma-ko-7b", both(420, 37));
    half.load = Some(load(17 << 30));
    half.load.as_mut().unwrap().precision = Some(Precision::of([("bf16", 1)]));
    let mut flaky = quantized(ran("mistral-7b-v0.3", both(310, 26)));
    flaky.trials = flaky.trials.into_iter().enumerate().map(|(i, t)| if i % 9 == 4 { failed(t) } else { t }).collect();
    let mut huge = quantized(row("deepseek-v2"));
    huge.fit = Some(FitEstimate {
        weights_bytes: 131 << 30,
        kv_cache_bytes: 1 << 30,
        activation_bytes: 1 << 30,
        available_bytes: 22 << 30,
    });
    huge.outcome = RowOutcome::Skipped { reason: "needs 133 GiB, 111 GiB more than there is".into() };
    let mut broken = quantized(row("koalpaca-12.8b"));
    broken.outcome =
        RowOutcome::Failed { kind: FailureKind::Load, message: "tensor `gpt_neox.embed_in.weight` is missing".into() };
    let mut run = run(vec![
        quantized(ran("qwen2.5-7b", both(300, 25))),
        flaky,
        half,
        quantized(ran("한국어-라마-7b", both(290, 60))),
        huge,
        broken,
    ]);
    run.requirements = Requirements {
        memory_gib: Some(16.0),
        ttft_seconds: Some(2.0),
        decode_tokens_per_second: Some(20.0),
        budget: Some(Budget { krw_per_month: 150_000.0, krw_per_gpu_hour: 1_180.0, requests_per_month: 50_000.0 }),
        ..Requirements::default()
    };
    run
}

/// Three trials of one length, with random weights, on another device than the service's.
fn few_and_synthetic() -> Run {
    let mut run = realistic();
    run.rows.truncate(2);
    for row in &mut run.rows {
        row.candidate.source = Source::Synthetic { shape: "Qwen/Qwen2.5-7B-Instruct".into() };
        row.trials.retain(|trial| trial.key.prompt == "pp512");
        row.trials.truncate(3);
    }
    run.requirements.device = Some("L4".into());
    run.requirements.budget = None;
    run
}

/// Terminal columns, for text in Latin and Hangul.
fn width(line: &str) -> usize {
    line.chars().map(|c| if ('가'..='힣').contains(&c) { 2 } else { 1 }).sum()
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn lines_trimmed(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).collect()
}

#[test]
fn the_whole_report() {
    insta::assert_snapshot!(show(&realistic(), Some(130)), @"
    Run 20261120-051733-4f2a on AMD EPYC 9B45 (cpu, 2 threads)

    Speed: medians on prompts of so many (@) token ids, prefill in tok/s
    candidate        precision    memory     load     n    TTFT  prefill    TTFT  prefill  decode  95 %       within
                                                           @128     @128    @512     @512   tok/s  interval   limits
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %  4.00 GiB   4.20 s    10  300 ms      427  1.20 s      427    40.0  40.0–40.0   100 %
    mistral-7b-v0.3  q4_k 93 %  4.00 GiB   4.20 s  9/10  310 ms      413  1.24 s      413    38.5  38.5–38.5    90 %
    gemma-ko-7b      bf16       17.0 GiB   4.20 s    10  420 ms      305  1.68 s      305    27.0  27.0–27.0   100 %
    한국어-라마-7b   q4_k 93 %  4.00 GiB   4.20 s    10  290 ms      441  1.16 s      441    16.7  16.7–16.7     0 %
    deepseek-v2      q4_k       ~133 GiB  skipped     —       —        —       —        —       —  —               —
    koalpaca-12.8b   q4_k              —   failed     —       —        —       —        —       —  —               —

    Text: interview
    candidate        precision   n  requests     TTFT  TTFT  prefill  decode  95 %
                                                  p50   p95    tok/s   tok/s  interval
    ───────────────────────────────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %  16        40  =314 ms     —      319    38.5  38.5–38.5
    mistral-7b-v0.3  q4_k 93 %  16     35/40   324 ms     —      309    37.0  36.4–37.0
    gemma-ko-7b      bf16       16        40   434 ms     —      231    26.3  26.3–26.3
    한국어-라마-7b   q4_k 93 %  16        40  =304 ms     —      329    16.4  16.4–16.4

    candidate        precision  chars/s  chars/s  chars/tok  chars/tok  within
                                     ko       en         ko         en  limits
    ──────────────────────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %     33.8     67.7      0.880       1.76   100 %
    mistral-7b-v0.3  q4_k 93 %     32.6     64.6      0.880       1.76  87.5 %
    gemma-ko-7b      bf16          23.2     46.3      0.880       1.76   100 %
    한국어-라마-7b   q4_k 93 %     14.4     28.9      0.880       1.76     0 %

    mistral-7b-v0.3 q4_k: 6 of 50 requests failed, the first with: the engine stopped
    the run is not finished: the figures are of the trials so far
    ~ estimated from the shape, not measured
    = not told apart from the best of its column: their 95 % intervals overlap
    — p95 needs 114 more prompts (130 in all); asking one again adds none
    within limits: share of requests with TTFT at most 2.00 s and decode at least 20.0 tok/s
    qwen2.5-7b q4_k: cold start: loaded at the first request, it makes its first user wait 4.50 s (4.20 s to load, 300 ms to the
      first token); loaded beforehand 300 ms: preloading saves 4.20 s
    mixed precision (bf16, q4_k): speed and memory of these rows do not compare the models alone
    quality is not judged: read the answers before you decide (`bench export`)

    Screening: nothing is known of the answers, so this is an order by speed and size, no recommendation.
      fastest: qwen2.5-7b q4_k; smallest: qwen2.5-7b q4_k
    First: qwen2.5-7b q4_k
      score 1.00: decode 38.5 tok/s, TTFT 314 ms, 33.8 Korean chars/s, 67.7 English chars/s, memory 4.00 GiB; 40 of 40 requests
        within the limits; 15,373 KRW a month
    Rejected:
      mistral-7b-v0.3 q4_k: 35 of 40 requests (87.5 %) met the limits, 95 % must; 5 failed or gave no token
      gemma-ko-7b: takes 17.0 GiB, limit 16.0 GiB: 6 % over
      한국어-라마-7b q4_k: 0 of 40 requests (0 %) met the limits, 95 % must; decode at least 20.0 tok/s missed by 40, 38 of 40 reach
        16.1 tok/s: 19 % below
      deepseek-v2 q4_k: skipped, needs 133 GiB, 111 GiB more than there is
      koalpaca-12.8b q4_k: failed, tensor `gpt_neox.embed_in.weight` is missing
    Compared by prompts in Korean or English. Score: mean of each figure against the best qualified one, weighted decode 0.3, TTFT
      0.3, Korean chars/s 0.15, English chars/s 0.15, memory 0.1.
    The budget buys 127 of a month's 730 GPU hours; costs above count only the time spent answering.
    ");
}

#[test]
fn few_trials_of_random_weights() {
    insta::assert_snapshot!(show(&few_and_synthetic(), Some(100)), @"
    Run 20261120-051733-4f2a on AMD EPYC 9B45 (cpu, 2 threads)

    Speed: medians on prompts of so many (@) token ids, prefill in tok/s
    candidate          precision    memory    load  n    TTFT  prefill  decode  95 %      within
                                                         @512     @512   tok/s  interval  limits
    ────────────────────────────────────────────────────────────────────────────────────────────
    qwen2.5-7b *       q4_k 93 %  4.00 GiB  4.20 s  3  1.20 s      427    40.0  —          100 %
    mistral-7b-v0.3 *  q4_k 93 %  4.00 GiB  4.20 s  3  1.24 s      413    38.5  —          100 %

    the run is not finished: the figures are of the trials so far
    * random weights at the model's real shape
    — an interval needs 6 requests and there are 3: `--repeat 6` gives 6
    within limits: share of requests with TTFT at most 2.00 s and decode at least 20.0 tok/s
    quality is not judged: 2 rows have random weights, whose speed and memory are real and whose text
      is not

    Screening: nothing is known of the answers, so this is an order by speed and size, no
      recommendation.
      fastest: qwen2.5-7b q4_k; smallest: qwen2.5-7b q4_k
    First: qwen2.5-7b q4_k
      score 1.00: decode 40.0 tok/s, TTFT 1.20 s, memory 4.00 GiB; 3 of 3 requests within the limits,
        which were not enforced
      A tie with mistral-7b-v0.3 q4_k: too few trials for intervals of decode rate and time to first
        token (see `--repeat`), and the scores are within 0.05.
    Second: mistral-7b-v0.3 q4_k
      score 0.97, no better than qwen2.5-7b q4_k in anything: decode 38.5 tok/s, TTFT 1.24 s, memory
        4.00 GiB; 3 of 3 requests within the limits, which were not enforced
    Provisional: the service is to run on L4, this run was on AMD EPYC 9B45, whose speed says nothing
      of it.
    Enforced: memory, requests answered. Not enforced: attainment of the request limits, because
      another device's speed and cost are not the service's.
    Compared by prompts of token ids. Score: mean of each figure against the best qualified one,
      weighted decode 0.3, TTFT 0.3, memory 0.1.
    ");
}

#[test]
fn where_nothing_ran_the_report_says_why() {
    let mut run = realistic();
    run.rows.drain(..4);
    run.rows.push(row("later"));
    run.requirements = Requirements::default();
    insta::assert_snapshot!(show(&run, Some(100)), @r#"
    Run 20261120-051733-4f2a on AMD EPYC 9B45 (cpu, 2 threads)

    candidate       precision    memory     load
    ────────────────────────────────────────────
    deepseek-v2     q4_k       ~133 GiB  skipped
    koalpaca-12.8b  q4_k              —   failed
    later           —                 —  pending

    the run is not finished: the figures are of the trials so far
    ~ estimated from the shape, not measured

    Recommendation: none. No candidate meets the requirements.
    Nearest miss: deepseek-v2 q4_k: skipped, needs 133 GiB, 111 GiB more than there is
    Rejected:
      deepseek-v2 q4_k: skipped, needs 133 GiB, 111 GiB more than there is
      koalpaca-12.8b q4_k: failed, tensor `gpt_neox.embed_in.weight` is missing
      later: not run yet (`--resume` goes on)
    "#);
}

#[test]
fn at_80_columns_numbers_go_into_further_tables() {
    let shown = show(&realistic(), Some(80));
    let (_, text) = shown.split_once("Text: ").unwrap();
    let (tables, _) = text.split_once("\n\nmistral").unwrap();
    insta::assert_snapshot!(tables, @"
    interview
    candidate        precision   n  requests     TTFT  TTFT  prefill
                                                  p50   p95    tok/s
    ────────────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %  16        40  =314 ms     —      319
    mistral-7b-v0.3  q4_k 93 %  16     35/40   324 ms     —      309
    gemma-ko-7b      bf16       16        40   434 ms     —      231
    한국어-라마-7b   q4_k 93 %  16        40  =304 ms     —      329

    candidate        precision  decode  95 %       chars/s  chars/s
                                 tok/s  interval        ko       en
    ───────────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %    38.5  38.5–38.5     33.8     67.7
    mistral-7b-v0.3  q4_k 93 %    37.0  36.4–37.0     32.6     64.6
    gemma-ko-7b      bf16         26.3  26.3–26.3     23.2     46.3
    한국어-라마-7b   q4_k 93 %    16.4  16.4–16.4     14.4     28.9

    candidate        precision  chars/tok  chars/tok  within
                                       ko         en  limits
    ────────────────────────────────────────────────────────
    qwen2.5-7b       q4_k 93 %      0.880       1.76   100 %
    mistral-7b-v0.3  q4_k 93 %      0.880       1.76  87.5 %
    gemma-ko-7b      bf16           0.880       1.76   100 %
    한국어-라마-7b   q4_k 93 %      0.880       1.76     0 %
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for terminal in [72, 80, 100, 120, 160, 200] {
        for run in [realistic(), few_and_synthetic()] {
            for line in show(&run, Some(terminal)).lines() {
                assert!(width(line) <= terminal, "{} of {terminal} columns: {line}", width(line));
            }
        }
    }
}

#[test]
fn korean_names_keep_the_columns_aligned() {
    let shown = show(&realistic(), None);
    let precisions: Vec<usize> = shown
        .lines()
        .filter(|line| line.contains("4.00 GiB   4.20 s"))
        .filter_map(|line| line.split_once("q4_k").map(|(name, _)| width(name)))
        .collect();
    assert_eq!(precisions, [17, 17, 17]);
}

#[test]
fn colours_change_nothing_else() {
    let run = realistic();
    let page = page(&Answer::of(&run), Form::Screen, &[]);
    let shown = |color| Terminal { width: Some(100), color }.render(&page);
    assert!(shown(true).contains('\x1b') && !shown(false).contains('\x1b'));
    assert_eq!(lines_trimmed(&without_escapes(&shown(true))), lines_trimmed(&shown(false)));
}

#[test]
fn a_run_of_nothing_is_no_error() {
    assert!(show(&run(Vec::new()), Some(80)).contains("Recommendation: none."));
}

#[test]
fn metrics_that_are_asked_for_have_columns_in_both_tables() {
    let run = realistic();
    let shown = |more: &[Metric], form| match form {
        Form::Screen => Terminal { width: None, color: false }.render(&page(&Answer::of(&run), form, more)),
        Form::Document => Markdown.render(&page(&Answer::of(&run), form, more)),
    };
    let screen = shown(&[ITL_P50, PREFILL_TIME], Form::Screen);
    // Of each length of prompt, and of all texts.
    assert_eq!((screen.matches("ITL p50").count(), screen.matches("prefill time").count()), (3, 3), "{screen}");
    assert!(!shown(&[], Form::Screen).contains("ITL p50"));
    let document = shown(&[ITL_P50], Form::Document);
    assert!(document.contains("| ITL p50 @128 | ITL p50 @512 |") && document.contains("| ITL p50 |"), "{document}");
    // 63 gaps of 25 ms in each of five trials: too few trials for an interval.
    assert!(document.contains("| 25.0 ms |"), "{document}");
    // 16 prompts are enough for one.
    assert!(document.contains("| 26.0 ms (26.0 ms – 26.0 ms) |"), "{document}");
}

#[test]
fn answers_in_another_language_are_counted_in_the_table_and_have_no_speed() {
    let english = |mut trial: Trial| {
        trial.text = Some("I answered in English.".into());
        trial
    };
    let trials = (0..3).map(|_| english(text_trial(400, 50, 11, "")));
    let run = run(vec![ran("a", trials.collect()), ran("b", vec![text_trial(400, 50, 11, "한국어로 답합니다.")])]);
    insta::assert_snapshot!(show(&run, Some(130)), @"
    Run 20261120-051733-4f2a on AMD EPYC 9B45 (cpu, 2 threads)

    Text: interview
    candidate  precision    memory    load  n  requests      TTFT  TTFT  prefill
                                                              p50   p95    tok/s
    ────────────────────────────────────────────────────────────────────────────
    a          q4_k 93 %  4.00 GiB  4.20 s  1         3  (400 ms)     —      250
    b          q4_k 93 %  4.00 GiB  4.20 s  1         1  (400 ms)     —      250

    candidate  precision  decode  95 %      chars/s  chars/s     not  chars/tok  chars/tok
                           tok/s  interval       ko       en  Korean         ko         en
    ──────────────────────────────────────────────────────────────────────────────────────
    a          q4_k 93 %    20.0  —               —        —  3 of 3          —          —
    b          q4_k 93 %    20.0  —            18.2        —  0 of 1      0.909          —

    Answers: share that pass their checks, and that are faithful to the language
    candidate  precision  answers        fidelity
                                               ko
    ─────────────────────────────────────────────
    a          q4_k 93 %        1      0 % (0–79)
    b          q4_k 93 %        1  100 % (21–100)

    the run is not finished: the figures are of the trials so far
    ( ) p50 needs 10 more prompts (11 in all); asking one again adds none
    — p95 needs 129 more prompts (130 in all); asking one again adds none
    — an interval needs 5 more prompts (6 in all); asking one again adds none
    a: 3 of 3 answers are not Korean
    a: 1 of 1 answers fail: interview ko p1: language, 0 % of the letters are Korean (“I answered in English.”)
    Korean chars/s is left out of the ranking, being unknown of some row

    Recommendation: b
      score 1.00: fidelity 100 %, TTFT 400 ms, memory 4.00 GiB
    Runner-up: a
      score 0.56, no better than b in anything: fidelity 0 %, TTFT 400 ms, memory 4.00 GiB
      of the same 1 answers 0 pass, of the pick's 1: +100.0 points (+100.0 to +100.0)
    Compared by prompts in Korean or English. Score: mean of each figure against the best qualified one, weighted fidelity 0.2, TTFT
      0.15, memory 0.1.
    ");
}

#[test]
fn a_busy_machine_is_told() {
    let trials = vec![text_trial(200, 100, 5, "가"), beside(0.75, text_trial(200, 100, 5, "나"))];
    let mut run = run(vec![ran("a", trials)]);
    let told = |run: &Run, by: &str| {
        let text = show(run, None);
        let note =
            format!("! other programs{by} were busy on this machine during 1 of 2 trials, on up to 0.8 processors:");
        assert!(text.contains(&note), "{text}");
    };
    told(&run, "");
    run.rows[0].trials[1].readings[1].busiest = vec![BusyProgram { name: "rustc".into(), cpu_seconds: 1.2 }];
    told(&run, " (rustc)");
}

#[test]
fn on_a_known_gpu_its_share_is_shown_and_what_is_beyond_it_is_told() {
    let possible = [speed_trial("pp512+tg64", 512, 500, 80), text_trial(200, 80, 11, "가")].into();
    let run = run_on_l4([beyond_an_l4().rows, vec![llama_8b("b", possible)]].concat());
    insta::assert_snapshot!(show(&run, Some(130)), @"
    Run 20261120-051733-4f2a on NVIDIA L4 (cuda:0, 2 threads)

    Speed: medians on prompts of so many (@) token ids, prefill in tok/s
    candidate  precision    memory    load  n     TTFT  prefill      MFU  decode  95 %          MBU
                                                  @512     @512     @512   tok/s  interval  of peak
    ───────────────────────────────────────────────────────────────────────────────────────────────
    a          bf16       17.0 GiB  4.20 s  1  10.0 ms   51,200  596.4 %     100  —         505.1 %
    b          bf16       17.0 GiB  4.20 s  1   500 ms    1,024   11.9 %    12.5  —          63.1 %

    Text: interview
    candidate  precision  n      TTFT  TTFT  prefill  decode  95 %      chars/s  chars/s  chars/tok  chars/tok      MBU
                                  p50   p95    tok/s   tok/s  interval       ko       en         ko         en  of peak
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    b          bf16       1  (200 ms)     —      500    12.5  —            1.14        —     0.0909          —   62.7 %

    Answers: share that pass their checks, and that are faithful to the language
    candidate  precision  answers        fidelity
                                               ko
    ─────────────────────────────────────────────
    b          bf16             1  100 % (21–100)

    the run is not finished: the figures are of the trials so far
    ! a bf16: impossible on NVIDIA L4: decode of speed pp512+tg64 needs 1,515 GB/s, 5.05 times the card's 300; prefill of speed
      pp512+tg64 needs 722 TFLOPS, 5.96 times the card's 121; suspect the card's row in gpus.toml, the count of tokens, or the clock
    ( ) p50 needs 10 more prompts (11 in all); asking one again adds none
    — p95 needs 129 more prompts (130 in all); asking one again adds none
    — an interval needs 5 more prompts (6 in all); asking one again adds none
    — an interval needs 6 requests and there are 1: `--repeat 6` gives 6
    b bf16: capacity: NVIDIA L4 holds 27 chats of 4,096 tokens, their cache in 16 bits, beside the 8.50 GiB of its weights

    Screening: nothing is known of the answers, so this is an order by speed and size, no recommendation.
      fastest: b bf16; smallest: b bf16
    First: b bf16
      score 1.00: decode 12.5 tok/s, TTFT 500 ms, 1.14 Korean chars/s, memory 17.0 GiB
    Rejected:
      a bf16: impossible, decode of speed pp512+tg64 needs 1,515 GB/s, 5.05 times the card's 300; prefill of speed pp512+tg64 needs
        722 TFLOPS, 5.96 times the card's 121: its figures are not to be believed
    Compared by prompts of token ids. Score: mean of each figure against the best qualified one, weighted decode 0.3, TTFT 0.3,
      Korean chars/s 0.15, memory 0.1.
    ");
}

#[test]
fn a_run_as_a_comment() {
    insta::assert_snapshot!(markdown(&sample::run()), @r#"
    ### Run 20261120-051733-4f2a

    Example CPU, "two cores" · cpu · 2 threads · bench 0.1.0 · started 2026-11-20 05:17 UTC

    Requirements: those of my.toml, and by hand ttft_seconds.

    #### Recommendation: none. No candidate meets the requirements.

    - Nearest miss: qwen2.5-7b q4_k: 3 of 4 requests (75 %) met the limits, 95 % must; 1 failed or gave no token
    - Rejected:
      - qwen2.5-7b q4_k: 3 of 4 requests (75 %) met the limits, 95 % must; 1 failed or gave no token
      - 한국어 모델: failed, \`config.json\` is missing, the folder has \| pipes and &lt;tags&gt;
      - deepseek-v2 q4_k: skipped, does not fit: 114 GiB are missing
      - gemma-2-9b q8_0: not run yet (\`--resume\` goes on)
    - The budget buys 120 of a month's 730 GPU hours.

    #### Speed: medians on prompts of so many (@) token ids, prefill in tok/s

    | candidate | precision | memory | load | n | TTFT @128 | prefill @128 | decode @128 | decode tok/s | 95 % interval | within limits |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |
    | qwen2.5-7b | q4_k 93 % | 5.00 GiB | 12.5 s | 1 | 500 ms | 321 | 10.0 | 10.0 | — | 1 of 1 (100 %) |
    | 한국어 모델 | — | — | failed | — | — | — | — | — | — | — |
    | deepseek-v2 \* | q4_k | \~134 GiB | skipped | — | — | — | — | — | — | — |
    | gemma-2-9b | q8_0 | — | pending | — | — | — | — | — | — | — |

    #### Text: review

    | candidate | precision | n | requests | TTFT p50 | TTFT p95 | latency | prefill tok/s | decode tok/s | 95 % interval | chars/s ko | chars/s en | chars/tok ko | chars/tok en | within limits |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |
    | qwen2.5-7b | q4_k 93 % | 2 | 3/4 | (500 ms) | — | 800 ms | 321 | 10.0 | — | 26.7 | 122 | 2.67 | 12.2 | 3 of 4 (75 %) |

    - `*` random weights at the model's real shape
    - `~` estimated from the shape, not measured
    - `( )` p50 needs 9 more prompts (11 in all); asking one again adds none
    - `—` p95 needs 128 more prompts (130 in all); asking one again adds none
    - `—` an interval needs 4 more prompts (6 in all); asking one again adds none
    - `—` an interval needs 6 requests and there are 1: \`--repeat 6\` gives 6
    - within limits: share of requests with TTFT at most 2.00 s
    - quality is not judged: read the answers before you decide (\`bench export\`)

    #### Not run, or failed

    | candidate | what happened |
    | --- | --- |
    | 한국어 모델 | failed, \`config.json\` is missing, the folder has \| pipes and &lt;tags&gt; |
    | deepseek-v2 q4_k | skipped, does not fit: 114 GiB are missing |
    | gemma-2-9b q8_0 | not run yet (\`--resume\` goes on) |
    | qwen2.5-7b q4_k | 1 of 5 requests failed, the first with: the engine stopped, "why" unknown |

    #### Answers

    <details>
    <summary>qwen2.5-7b q4_k</summary>

    ko/review/short-1, repetitions 1, 2, cut at the limit

    ```text
    좋은 제품입니다
    ```

    en/review/short-1, repetition 1, ended by itself

    ````text
    # Not a heading
    | pipe | `tick` ``` <b>bold</b> & </details>
    ````

    </details>
    "#);
}

#[test]
fn in_a_document_what_is_not_told_apart_from_the_best_is_marked_and_where_it_lies_is_said() {
    let trials = |gap: u64| (0..8).map(|trial| speed_trial("pp128", 128, 500, gap + trial)).collect();
    let text = markdown(&run(vec![ran("a", trials(20)), ran("b", trials(22)), ran("c", trials(40))]));
    let (_, table) = text.split_once("#### Speed").expect("a table");
    let column = |number| table.lines().filter_map(|line| line.split(" | ").nth(number)).skip(2).collect::<Vec<_>>();
    assert_eq!(column(7), ["42.6 (38.4 – 47.8)", "39.2 (35.6 – 43.6)", "23.0 (21.7 – 24.4)"], "{text}");
    assert_eq!(column(8), ["=42.6", "=39.2", "23.0"], "{text}");
}

#[test]
fn what_makes_figures_doubtful_stands_before_them_in_a_document() {
    let text = markdown(&beyond_an_l4());
    assert!(text.contains(" | 596.4 % | 100 | — | 505.1 % |"), "{text}");
    let warning = "- **Warning:** a bf16: impossible on NVIDIA L4: decode of speed pp512+tg64 needs";
    let (before, after) = text.split_once(warning).expect("a warning");
    assert!(!before.contains("| candidate |") && after.contains("| candidate |"), "{text}");
    assert!(!markdown(&sample::run()).contains("MBU"));
}

#[test]
fn every_line_of_a_documents_table_has_as_many_cells() {
    let mut run = sample::run();
    run.rows[3].outcome = RowOutcome::Failed { kind: FailureKind::Load, message: "a|b\\|c\n|d".into() };
    let text = markdown(&run);
    let tables = text.split("\n\n").filter(|block| block.starts_with('|'));
    let mut count = 0;
    for table in tables {
        let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
        let counts: Vec<usize> = table.lines().map(cells).collect();
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}\n{table}");
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_run_without_candidates_still_says_where_it_was_made() {
    let mut run = sample::run();
    run.rows.clear();
    run.finished_at = None;
    run.environment.debug_build = true;
    insta::assert_snapshot!(markdown(&run), @r#"
    ### Run 20261120-051733-4f2a

    Example CPU, "two cores" · cpu · 2 threads · bench 0.1.0 · started 2026-11-20 05:17 UTC

    - **Warning:** debug build: these speeds are not the program's, build with --release

    Requirements: those of my.toml, and by hand ttft_seconds.

    #### Recommendation: none. No candidate meets the requirements.

    - The budget buys 120 of a month's 730 GPU hours.

    - the run is not finished: the figures are of the trials so far
    - within limits: share of requests with TTFT at most 2.00 s
    "#);
}

/// Latencies of 1.2 to 3.4 s before; after, two fifths of that, give or take, and 3 answers that flipped.
fn faster_and_worse() -> Run {
    let before: Vec<(u64, bool)> = (0..24).map(|n| (600 + 50 * n, n != 4)).collect();
    let after = before
        .iter()
        .zip(0_u64..)
        .map(|((time, right), n)| (time * (38 + n % 5) / 100, *right != [4, 9, 16].contains(&n)));
    two_variants(&before, &after.collect::<Vec<_>>())
}

#[test]
fn variants_are_a_table_of_before_and_after_and_the_answers_that_flipped() {
    let run = faster_and_worse();
    let answer = Answer::of(&run);
    let screen =
        Terminal { width: Some(100), color: false }.render(&Page::new(variants::blocks(&answer, Form::Screen)));
    insta::assert_snapshot!("variants_screen", screen);
    let document = Markdown.render(&Page::new(variants::blocks(&answer, Form::Document)));
    insta::assert_snapshot!("variants_document", document);
}

#[test]
fn a_screen_ends_with_what_variants_change_and_a_document_has_it_before_the_figures() {
    let run = faster_and_worse();
    assert!(show(&run, None).trim_end().ends_with("q4_k: It is blue."));
    let document = markdown(&run);
    let at = |part: &str| document.find(part).unwrap_or_else(|| panic!("{part}: {document}"));
    assert!(at("What quantization q8_0") < at("Text: "));
}
