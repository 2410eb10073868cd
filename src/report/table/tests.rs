use super::*;
use crate::catalog::{Budget, Quantization, Requirements, Source};
use crate::plan::FitEstimate;
use crate::recommend::recommend;
use crate::run::{FailureKind, Row, Trial};
use crate::suite::Language;
use crate::summarize::summarize;
use crate::summarize::testing::{failed, load, ran, row, run, speed_trial, text_trial};

fn show(run: &Run, width: Option<usize>) -> String {
    let summaries = summarize(run);
    let recommendation = recommend(run, &summaries);
    render(run, &summaries, &recommendation, &Layout { width, color: false })
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
    half.load.as_mut().unwrap().precision = "bf16 100 %".into();
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

#[test]
fn look() {
    for width in [None, Some(160), Some(120), Some(80)] {
        println!("==== {width:?}\n{}", show(&realistic(), width));
    }
    let run = realistic();
    let s = summarize(&run);
    println!("{}", render(&run, &s, &recommend(&run, &s), &Layout { width: Some(100), color: true }));
    let mut synthetic = run.clone();
    synthetic.rows.truncate(4);
    for row in &mut synthetic.rows {
        row.candidate.source = Source::Synthetic { shape: "x".into() };
        row.trials.retain(|trial| trial.key.language.is_none() && trial.key.prompt == "pp512");
        row.trials.truncate(3);
    }
    synthetic.requirements.device = Some("L4".into());
    println!("{}", show(&synthetic, Some(100)));
}
