use super::*;
use crate::catalog::{Budget, KOREAN_SPEED, Requirements, Source};
use crate::metric::TTFT;
use crate::record::{FitEstimate, Precision, Row, Trial};
use crate::suite::Language;
use crate::summarize::summarize;
use crate::summarize::testing::{
    beyond_an_l4, failed, llama_8b, load, of_prompts, ran, row, run, run_on_l4, speed_trial, text_trial,
};

/// Twelve requests with TTFT and gap in milliseconds, 11 tokens and 20 characters each.
fn requests(ttft_ms: u64, gap_ms: u64) -> Vec<Trial> {
    of_prompts((0..12).map(|_| text_trial(ttft_ms, gap_ms, 11, "가나다라마바사아자차카타파하갸냐댜랴먀뱌")))
}

fn with_memory(mut row: Row, gib: u64) -> Row {
    row.load = Some(load(gib << 30));
    row
}

fn judge(rows: Vec<Row>, requirements: Requirements) -> Recommendation {
    judge_on("NVIDIA L4", rows, requirements)
}

fn judge_on(device: &str, rows: Vec<Row>, requirements: Requirements) -> Recommendation {
    let mut run = run(rows);
    run.environment.device_name = device.into();
    run.requirements = requirements;
    recommend(&run, &summarize(&run))
}

/// Of a run in which nothing is known of the answers.
fn screen(rows: Vec<Row>) -> Recommendation {
    let mut run = run(rows);
    run.environment.device_name = "NVIDIA L4".into();
    run.prompts.clear();
    recommend(&run, &summarize(&run))
}

fn ranked(recommendation: &Recommendation) -> Vec<&str> {
    recommendation.ranking.iter().map(|standing| standing.row.as_str()).collect()
}

fn broken(recommendation: &Recommendation, row: &str) -> Vec<Broken> {
    match recommendation.rejected.iter().find(|rejected| rejected.row == row).map(|rejected| &rejected.reason) {
        Some(Reason::Requirements(broken)) => broken.clone(),
        other => panic!("{row} should be rejected for its requirements, got {other:?}"),
    }
}

fn text(recommendation: &Recommendation) -> String {
    explain(recommendation).join("\n")
}

#[test]
fn the_faster_of_two_is_picked() {
    let rows = vec![ran("slow", requests(800, 100)), ran("fast", requests(400, 50))];
    let recommendation = judge(rows, Requirements::default());
    assert_eq!(ranked(&recommendation), ["fast", "slow"]);
    assert_eq!(recommendation.pick().map(|pick| pick.score), Some(1.0));
    assert_eq!(recommendation.runner_up().and_then(|second| second.dominated_by.as_deref()), Some("fast"));
    assert_eq!(recommendation.tie, None);
}

#[test]
fn the_score_is_the_weighted_mean_of_ratios() {
    // Half as fast in everything but memory; English is known of neither.
    let rows = vec![ran("slow", requests(800, 100)), ran("fast", requests(400, 50))];
    let recommendation = screen(rows);
    let expected = ((0.3 + 0.3 + 0.15) * 0.5 + 0.1) / (0.3 + 0.3 + 0.15 + 0.1);
    assert!((recommendation.ranking[1].score - expected).abs() < 1e-9);
    for criteria in [CRITERIA.as_slice(), SCREENING.as_slice()] {
        assert!((criteria.iter().map(|criterion| criterion.weight).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_criterion_unknown_of_one_is_left_out_for_all() {
    let mut silent = requests(400, 50);
    for trial in &mut silent {
        trial.text = None;
    }
    let rows = vec![ran("silent", silent), ran("speaking", requests(800, 100))];
    let recommendation = screen(rows);
    let keys: Vec<_> = recommendation.ranking[0].criteria.iter().map(|scored| scored.criterion.aspect.key()).collect();
    assert_eq!(keys, ["decode_tokens_per_second", "ttft_seconds", "memory_bytes"]);
    assert!(recommendation.flags.contains(&Flag::CriterionDropped { criterion: KOREAN_SPEED }));
    assert_eq!(
        serde_json::to_value(&recommendation.flags[0]).unwrap(),
        serde_json::json!({"criterion_dropped": {"criterion": "korean_characters_per_second"}})
    );
}

#[test]
fn what_the_hardware_cannot_have_done_is_not_recommended() {
    let possible = llama_8b("possible", vec![speed_trial("pp512+tg64", 512, 500, 80)]);
    let run = run_on_l4([beyond_an_l4().rows, vec![possible]].concat());
    let recommendation = recommend(&run, &summarize(&run));
    assert_eq!(ranked(&recommendation), ["possible bf16"]);
    let reason =
        "a bf16: impossible, decode of speed pp512+tg64 needs 1,515 GB/s, 5.05 times the card's 300; prefill of";
    assert!(text(&recommendation).contains(reason), "{}", text(&recommendation));
    let alone = recommend(&beyond_an_l4(), &summarize(&beyond_an_l4()));
    assert_eq!((alone.pick(), &alone.nearest_miss), (None, &None), "it cannot be said to be near");
}

#[test]
fn equal_rows_are_a_tie() {
    let recommendation = judge(vec![ran("a", requests(400, 50)), ran("b", requests(400, 50))], Requirements::default());
    assert_eq!(recommendation.tie, Some(Tie { rows: vec!["b".into()], too_few_trials: false }));
    assert!(text(&recommendation).contains("A tie with b"), "{}", text(&recommendation));
}

#[test]
fn a_small_difference_between_few_trials_is_a_tie() {
    let few = |ttft| requests(ttft, 50).into_iter().take(3).collect();
    let recommendation = judge(vec![ran("a", few(400)), ran("b", few(410))], Requirements::default());
    assert_eq!(recommendation.tie, Some(Tie { rows: vec!["b".into()], too_few_trials: true }));
}

#[test]
fn a_certain_difference_is_no_tie_however_small() {
    let recommendation = judge(vec![ran("a", requests(400, 50)), ran("b", requests(410, 50))], Requirements::default());
    assert_eq!(recommendation.tie, None);
}

#[test]
fn too_much_memory_is_rejected_and_named() {
    let rows = vec![with_memory(ran("big", requests(100, 10)), 20), ran("small", requests(400, 50))];
    let recommendation = judge(rows, Requirements { memory_gib: Some(16.0), ..Requirements::default() });
    assert_eq!(ranked(&recommendation), ["small"]);
    let broken = broken(&recommendation, "big");
    assert_eq!(broken.iter().map(Broken::limit).collect::<Vec<_>>(), [Limit::Memory]);
    assert_eq!(broken[0].excess(), Some(0.25));
    assert_eq!(broken[0].to_string(), "takes 20.0 GiB, limit 16.0 GiB: 25 % over");
}

#[test]
fn what_is_unknown_is_not_shown_to_satisfy() {
    let mut unknown = ran("unknown", requests(400, 50));
    unknown.load = None;
    let requirements = Requirements { memory_gib: Some(16.0), ..Requirements::default() };
    let recommendation = judge(vec![unknown], requirements);
    assert_eq!(broken(&recommendation, "unknown")[0].excess(), None);
    assert_eq!(recommendation.nearest_miss, None);
}

#[test]
fn missed_latency_limits_reject_with_the_limit_and_the_distance() {
    let requirements = Requirements { ttft_seconds: Some(2.0), ..Requirements::default() };
    let recommendation = judge(vec![ran("late", requests(3000, 50)), ran("prompt", requests(1000, 50))], requirements);
    assert_eq!(ranked(&recommendation), ["prompt"]);
    assert_eq!(
        broken(&recommendation, "late")[0].to_string(),
        "0 of 12 requests (0 %) met the limits, 95 % must; TTFT at most 2.00 s missed by 12, 12 of 12 reach 3.00 s: 50 % over"
    );
}

#[test]
fn the_nearest_miss_exceeds_least() {
    let requirements = Requirements { ttft_seconds: Some(1.0), ..Requirements::default() };
    let recommendation = judge(vec![ran("far", requests(3000, 50)), ran("near", requests(1200, 50))], requirements);
    assert_eq!(recommendation.pick(), None);
    let miss = recommendation.nearest_miss.as_ref().unwrap();
    assert_eq!(miss.row, "near");
    assert!((miss.excess - 0.2).abs() < 1e-9);
    assert!(text(&recommendation).contains("Nearest miss: near: 0 of 12"), "{}", text(&recommendation));
}

#[test]
fn where_nothing_fits_the_nearest_miss_lacks_least() {
    let skipped = |id: &str, gib: u64| {
        let fit =
            FitEstimate { weights_bytes: gib << 30, kv_cache_bytes: 0, activation_bytes: 0, available_bytes: 20 << 30 };
        Row { fit: Some(fit), outcome: RowOutcome::Skipped { reason: "does not fit".into() }, ..row(id) }
    };
    let recommendation = judge(vec![skipped("huge", 200), skipped("large", 25)], Requirements::default());
    assert_eq!(recommendation.nearest_miss, Some(NearestMiss { row: "large".into(), excess: 0.25 }));
    assert!(text(&recommendation).contains("Nearest miss: large: skipped, does not fit"), "{}", text(&recommendation));
}

#[test]
fn the_budget_is_judged_by_median_latency() {
    // Latency 1.4 s and 0.9 s; 100,000 requests take 38.9 and 25 hours of 4,000 KRW.
    let budget = Budget { krw_per_month: 120_000.0, krw_per_gpu_hour: 4_000.0, requests_per_month: 100_000.0 };
    let requirements = Requirements { budget: Some(budget), ..Requirements::default() };
    let rows = vec![ran("dear", requests(400, 100)), ran("cheap", requests(400, 50))];
    let recommendation = judge(rows, requirements);
    assert_eq!(ranked(&recommendation), ["cheap"]);
    assert_eq!(recommendation.pick().and_then(|pick| pick.cost).map(|cost| cost.gpu_hours), Some(25.0));
    assert_eq!(broken(&recommendation, "dear")[0].to_string(), "155,556 KRW a month, budget 120,000 KRW: 30 % over");
    assert_eq!(recommendation.affordable_hours, Some(30.0));
}

#[test]
fn another_device_judges_memory_and_not_speed() {
    let requirements = Requirements {
        device: Some("l4".into()),
        memory_gib: Some(16.0),
        ttft_seconds: Some(2.0),
        korean_characters_per_second: Some(1000.0),
        ..Requirements::default()
    };
    let rows = || vec![with_memory(ran("big", requests(100, 10)), 20), ran("late", requests(9000, 50))];
    let here = judge_on("NVIDIA L4", rows(), requirements.clone());
    assert_eq!((here.pick(), &here.provisional), (None, &None));

    let elsewhere = judge_on("AMD EPYC 9B45", rows(), requirements);
    assert_eq!(ranked(&elsewhere), ["late"]);
    assert!(elsewhere.provisional.is_some());
    assert_eq!(elsewhere.enforced, [Limit::Memory, Limit::Answered]);
    assert_eq!(elsewhere.not_judged, [Limit::Attainment, Limit::KoreanSpeed]);
    assert!(text(&elsewhere).contains("Recommendation, provisionally: late"), "{}", text(&elsewhere));
}

#[test]
fn a_speed_of_korean_that_no_korean_answer_has_rejects() {
    let english = requests(400, 50).into_iter().map(|trial| Trial { text: Some("It is the capital.".into()), ..trial });
    let requirements = Requirements { korean_characters_per_second: Some(5.0), ..Requirements::default() };
    let recommendation = judge(vec![ran("english", english.collect()), ran("korean", requests(400, 50))], requirements);
    assert_eq!(ranked(&recommendation), ["korean"]);
    let broken = broken(&recommendation, "english");
    assert_eq!(broken[0], Broken::Figure { of: KOREAN_SPEED, required: 5.0, measured: None });
    assert_eq!(broken[0].to_string(), "Korean chars/s unknown, at least 5.00 required");
}

#[test]
fn a_limit_on_the_gaps_of_all_requests_rejects() {
    let rows = || vec![ran("slow", requests(400, 50)), ran("fast", requests(400, 30))];
    let of = |requirements| judge(rows(), requirements);
    let p50 = of(Requirements { itl_p50_seconds: Some(0.04), ..Requirements::default() });
    assert_eq!(ranked(&p50), ["fast"]);
    assert_eq!(broken(&p50, "slow")[0].to_string(), "ITL p50 50.0 ms, at most 40.0 ms required: 25 % over");
    assert_eq!(p50.enforced, [Limit::ItlP50, Limit::Answered]);
    // 120 gaps are too few for a p99.
    let p99 = of(Requirements { itl_p99_seconds: Some(1.0), ..Requirements::default() });
    assert_eq!(broken(&p99, "fast")[0].to_string(), "ITL p99 unknown, at most 1.00 s required");
}

#[test]
fn what_a_request_is_not_shown_to_meet_it_misses() {
    let requirements = Requirements { text_after_seconds: Some(0.1), ..Requirements::default() };
    // Stored before that was kept.
    let recommendation = judge(vec![ran("old", requests(400, 50))], requirements);
    assert_eq!(
        broken(&recommendation, "old")[0].to_string(),
        "0 of 12 requests (0 %) met the limits, 95 % must; text after at most 100 ms not shown for 12"
    );
}

/// Four rows of which none meets two seconds to the first token.
fn late_rows() -> Vec<Row> {
    ["a", "b", "c", "d"].into_iter().zip(9..).map(|(id, ttft)| ran(id, requests(ttft * 1000, 50))).collect()
}

#[test]
fn rows_that_break_a_limit_which_was_not_enforced_are_not_said_to_meet_the_requirements() {
    let requirements = Requirements {
        device: Some("L4".into()),
        memory_gib: Some(22.0),
        ttft_seconds: Some(2.0),
        budget: Some(Budget { krw_per_month: 1.0, krw_per_gpu_hour: 1.0, requests_per_month: 1.0 }),
        ..Requirements::default()
    };
    let elsewhere = judge_on("AMD EPYC", late_rows(), requirements.clone());
    insta::assert_snapshot!(text(&elsewhere), @"
    Recommendation, provisionally: a
      score 1.00: fidelity 100 %, TTFT 9.00 s, 36.4 Korean chars/s, memory 4.00 GiB; 0 of 12 requests within the limits, which were not enforced
    Runner-up: b
      score 0.97, no better than a in anything: fidelity 100 %, TTFT 10.0 s, 36.4 Korean chars/s, memory 4.00 GiB; 0 of 12 requests within the limits, which were not enforced
      of the same 1 answers 1 pass, of the pick's 1: +0.0 points (+0.0 to +0.0): a tie
    Also within the limits that were enforced (memory, requests answered):
      c: score 0.95, no better than a in anything
      d: score 0.93, no better than a in anything
    Provisional: the service is to run on L4, this run was on AMD EPYC, whose speed says nothing of it.
    Enforced: memory, requests answered. Not enforced: attainment of the request limits, budget, because another device's speed and cost are not the service's.
    Compared by prompts in Korean or English. Score: mean of each figure against the best qualified one, weighted fidelity 0.2, TTFT 0.15, Korean chars/s 0.075, memory 0.1.
    The budget buys 1 of a month's 730 GPU hours.
    ");
    let licences = vec!["mit".into()];
    let nothing = judge_on("AMD EPYC", late_rows(), Requirements { licences, ..requirements });
    assert_eq!(
        explain(&nothing)[0],
        "Recommendation: none. No candidate is within the limits that were enforced (memory, requests answered, licence)."
    );
}

#[test]
fn where_all_that_is_stated_was_enforced_the_others_meet_the_requirements() {
    let requirements = Requirements { ttft_seconds: Some(20.0), ..Requirements::default() };
    let here = judge(late_rows(), requirements);
    assert_eq!((here.enforced.as_slice(), here.not_judged.as_slice()), (&[Limit::Attainment][..], &[][..]));
    let text = text(&here);
    assert!(text.contains("\nAlso meet the requirements:\n  c: score"), "{text}");
    assert!(!text.contains("nforced"), "{text}");
}

#[test]
fn a_budget_is_not_enforced_on_prompts_of_token_ids_and_the_reader_is_told_why() {
    let budget = Budget { krw_per_month: 1.0, krw_per_gpu_hour: 1000.0, requests_per_month: 1e6 };
    let requirements = Requirements { ttft_seconds: Some(9.0), budget: Some(budget), ..Requirements::default() };
    let recommendation = judge(vec![ran("a", vec![speed_trial("pp128", 128, 500, 50)])], requirements);
    let told = "Enforced: attainment of the request limits. Not enforced: budget, because prompts of token ids are not the \
                service's requests, and have no cost.";
    assert!(explain(&recommendation).iter().any(|line| line == told), "{}", text(&recommendation));
}

#[test]
fn a_licence_must_be_stated_and_accepted() {
    let requirements = Requirements { licences: vec!["apache-2.0".into()], ..Requirements::default() };
    let licensed = |id: &str, licence: Option<&str>| {
        let mut row = ran(id, requests(400, 50));
        row.candidate.licence = licence.map(String::from);
        row
    };
    let rows = vec![licensed("free", Some("Apache-2.0")), licensed("gated", Some("gemma")), licensed("silent", None)];
    let recommendation = judge(rows, requirements);
    assert_eq!(ranked(&recommendation), ["free"]);
    assert_eq!(
        broken(&recommendation, "gated")[0].to_string(),
        "licence `gemma` is not among those accepted (apache-2.0)"
    );
    assert_eq!(broken(&recommendation, "silent")[0].limit(), Limit::Licence);
}

#[test]
fn rows_that_did_not_run_are_rejected_with_their_reason() {
    let skipped = Row { outcome: RowOutcome::Skipped { reason: "does not fit".into() }, ..row("skipped") };
    let broke = Row {
        outcome: RowOutcome::Failed { kind: FailureKind::OutOfMemory, message: "out of memory".into() },
        ..row("broke")
    };
    let mute = ran("mute", requests(400, 50).into_iter().map(failed).collect());
    let recommendation = judge(vec![skipped, broke, row("later"), mute], Requirements::default());
    let reasons: Vec<&Reason> = recommendation.rejected.iter().map(|rejected| &rejected.reason).collect();
    assert_eq!(
        reasons,
        [
            &Reason::Skipped { reason: "does not fit".into() },
            &Reason::Failed { kind: FailureKind::OutOfMemory, message: "out of memory".into() },
            &Reason::Pending,
            &Reason::NotMeasured { measured: 12, failed: 12 },
        ]
    );
}

#[test]
fn prompts_of_token_ids_are_compared_where_there_is_no_text() {
    let cells = |ttft| vec![speed_trial("pp512", 512, ttft * 4, 50), speed_trial("pp128", 128, ttft, 50)];
    let recommendation = judge(vec![ran("a", cells(500)), ran("b", cells(400))], Requirements::default());
    assert_eq!((recommendation.basis, ranked(&recommendation)), (Basis::Tokens, vec!["b", "a"]));
    // The longest prompt's, not the median over both lengths.
    let ttft = recommendation.ranking[0].criteria.iter().find(|scored| scored.criterion.aspect.metric == TTFT);
    assert_eq!(ttft.map(|scored| scored.value), Some(1.6));
}

#[test]
fn mixed_precisions_and_random_weights_are_flagged() {
    let mut half = ran("half", requests(400, 50));
    half.load.as_mut().unwrap().precision = Some(Precision::of([("bf16", 1)]));
    let mut random = ran("random", requests(400, 50));
    random.candidate.source = Source::Synthetic { shape: "llama".into() };
    let flags = screen(vec![half, random]).flags;
    assert!(flags.contains(&Flag::MixedPrecision(vec!["bf16".into(), "q4_k".into()])), "{flags:?}");
    assert!(flags.contains(&Flag::QualityNotJudged { synthetic: vec!["random".into()] }), "{flags:?}");
}

#[test]
fn loosening_a_requirement_never_rejects_a_row() {
    let rows = || (1..=6).map(|step| ran(&format!("m{step}"), requests(step * 300, 40 * step))).collect::<Vec<_>>();
    let qualified = |limit: f64| {
        let requirements = Requirements { ttft_seconds: Some(limit), ..Requirements::default() };
        judge(rows(), requirements).ranking.len()
    };
    let counts: Vec<usize> = (0..20).map(|step| qualified(f64::from(step) / 10.0)).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&6)));
}

#[test]
fn english_and_korean_weigh_the_same() {
    let of = |language: Language| {
        CRITERIA.iter().find(|criterion| criterion.aspect.language == Some(language)).map(|criterion| criterion.weight)
    };
    assert!(of(Language::Ko).is_some());
    assert_eq!(of(Language::Ko), of(Language::En));
}
