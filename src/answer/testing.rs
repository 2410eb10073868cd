//! Made-up runs for the tests of reports: together they give rise to every kind of note.

use crate::catalog::{Quantization, Requirements, Source};
use crate::record::{
    BusyProgram, CheckpointFacts, FailureKind, Fault, FinishReason, FitEstimate, LoadFacts, LoadParts, Outcome,
    PoolMemory, PoolPhases, Precision, Row, RowOutcome, Run, Settings, Trial,
};
use crate::suite::Check;
use crate::summarize::testing::{
    asked, beside, beyond_an_l4, failed, llama_8b, load, of_prompts, on_gpu, ran, row, run, run_on_l4, speed_trial,
    stopped, text_trial, warmup,
};

pub(crate) fn runs() -> Vec<Run> {
    vec![alike(), unwell(), on_a_gpu(), settling(), screened(), judged()]
}

fn requests(trials: usize, ttft_ms: u64, gap_ms: u64) -> Vec<Trial> {
    of_prompts(vec![text_trial(ttft_ms, gap_ms, 11, "가나다라마바사"); trials])
}

/// Two rows that are not told apart, of two precisions, under limits.
fn alike() -> Run {
    let mut half = ran("half", requests(12, 400, 50));
    half.load = Some(load(8 << 30));
    half.load.as_mut().expect("loaded").precision = Some(Precision::of([("bf16", 1)]));
    let mut run = run(vec![ran("한국어-라마", requests(12, 400, 50)), half]);
    run.finished_at = Some(run.started_at);
    run.requirements = Requirements { ttft_seconds: Some(2.0), ..Requirements::default() };
    run
}

/// What went wrong: rows that did not run, requests that failed, other programs, a debug build, a row without text. What
/// was said of it has in it what formats take for their own.
fn unwell() -> Run {
    let skipped =
        Row { outcome: RowOutcome::Skipped { reason: "does not fit: 114 GiB | are <missing>".into() }, ..row("huge") };
    let message = "`config.json` has \"quotes\", *stars* & a|pipe".to_owned();
    let broken = Row { outcome: RowOutcome::Failed { kind: FailureKind::Load, message }, ..row("broken") };
    let mut disturbed = beside(0.75, text_trial(200, 100, 5, "나"));
    disturbed.readings[1].busiest = vec![BusyProgram { name: "rust|c".into(), cpu_seconds: 1.2 }];
    let mut flaky = vec![disturbed, text_trial(200, 100, 5, "가")];
    flaky.extend(requests(20, 200, 100));
    flaky.push(failed(text_trial(200, 100, 5, "다")));
    let mut cut = text_trial(200, 100, 3, "라");
    cut.outcome = Outcome::Completed { finish: FinishReason::Context };
    flaky.push(cut);
    flaky.push(stopped(4, text_trial(200, 100, 5, "마")));
    let mut again = beside(0.0, text_trial(200, 100, 5, "바"));
    again.repeated = Some(Fault::Stopped);
    for (reading, held) in again.readings.iter_mut().zip([50.0, 51.5]) {
        reading.throttled_seconds = Some(held);
    }
    flaky.push(again);
    let mut silent = ran("silent", requests(12, 900, 90));
    silent.trials.iter_mut().for_each(|trial| trial.text = None);
    silent.load = Some(LoadFacts { unknown: Some("a server | does not tell".into()), ..LoadFacts::default() });
    let mut flaky = ran("flaky", flaky);
    let load = flaky.load.get_or_insert_default();
    load.joins_plainly = Some("it has no | chat template".into());
    load.splits_by_default = true;
    load.files_changed = vec!["model|1.safetensors".into()];
    let mut run = run(vec![flaky, silent, skipped, broken, row("later")]);
    run.environment.debug_build = true;
    run
}

/// On a card that was hot, shared and at its power limit, with one row that took more than there is of it.
fn on_a_gpu() -> Run {
    let trial = || speed_trial("pp512+tg64", 512, 500, 80);
    let mut again = on_gpu(0, 0, trial());
    again.repeated = Some(Fault::Shared);
    let mut trials = vec![on_gpu(0x40, 0, trial()), on_gpu(0, 2, trial()), on_gpu(4, 0, trial()), again];
    for (at, reading) in trials.iter_mut().flat_map(|trial| trial.readings.iter_mut().enumerate()) {
        let gpu = reading.gpu.as_mut().expect("on a GPU");
        gpu.energy_millijoules = Some(100_000 + 30_000 * at as u64);
        gpu.power_milliwatts = Some(71_800);
        gpu.sm_megahertz = Some(1095);
        gpu.temperature_celsius = Some(67);
    }
    let mut possible = llama_8b("possible", trials);
    let facts = possible.load.as_mut().expect("loaded");
    let memory = PoolMemory { used_bytes: 1, reserved_bytes: 2 };
    facts.pool = Some(PoolPhases { loaded: memory, load_peak: memory, prefill_peak: Some(memory), decode_peak: None });
    facts.parts = Some(LoadParts { read_seconds: 5.0, quantize_seconds: 12.0, transfer_seconds: 0.25 });
    facts.idle_milliwatts = Some(16_500);
    possible.checkpoint = Some(CheckpointFacts {
        commit: None,
        architecture: "llama".into(),
        parameters: 8_030_000_000,
        files: Vec::new(),
        synthetic: false,
    });
    let mut run = run_on_l4([beyond_an_l4().rows, vec![possible]].concat());
    run.environment.gpu_power_limit_milliwatts = Some(72_000);
    run
}

/// Prompts of token ids of which more was asked than came of it.
fn settling() -> Run {
    let of = |ttfts: &[u64]| {
        let trials = ttfts.iter().zip(0..).map(|(ttft, repetition)| {
            let mut trial = speed_trial("pp128", 128, *ttft, 50);
            trial.key.repetition = repetition;
            trial
        });
        trials.collect::<Vec<Trial>>()
    };
    let cold = of(&[1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000]).into_iter().map(warmup);
    let rising = of(&[1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070, 1080, 1090, 3000]);
    let mut run = run(vec![ran("restless", cold.chain(rising).collect())]);
    run.settings = Settings { precision: Some(0.001), min_seconds: Some(600.0), max_repeat: Some(11), ..run.settings };
    run
}

/// Answers that are judged: some in another language, one without what was asked for, and a floor that they do not decide.
fn judged() -> Run {
    let texts = ["긍정입니다.", "The review is positive.", "부정 | <b>입니다</b>.", "긍정으로 봅니다.", "긍정이에요."];
    let trial = |(number, text): (usize, &str)| {
        let mut trial = text_trial(200, 50, 5, text);
        trial.key.prompt = format!("p{number}");
        trial
    };
    let mut answers: Vec<Trial> = texts.into_iter().enumerate().map(trial).collect();
    // Of one it is known when each character was shown, too slowly for a reader.
    answers[0].timeline.arrivals_ns[4] += 2_000_000_000;
    answers[0].timeline.arrival_characters = Some(vec![1, 1, 1, 1, 2]);
    let answers = || answers.clone();
    // Of the second nobody knows what memory it takes.
    let mut run = run(vec![ran("talks", answers()), Row { load: None, ..ran("whispers", answers()) }]);
    let asked = |number: usize| {
        let mut asked = asked();
        asked.prompt.id = format!("p{number}");
        asked.prompt.expected.checks = vec![Check::Contains(vec!["긍정".into()])];
        asked
    };
    run.prompts = (0..texts.len()).map(asked).collect();
    run.requirements.korean_pass_rate = Some(0.5);
    run
}

/// Random weights, too few trials of them, and one that was not loaded.
fn screened() -> Run {
    let mut random = ran("random", vec![speed_trial("pp128", 128, 400, 50)]);
    random.candidate.source = Source::Synthetic { shape: "Qwen/Qwen2.5-7B-Instruct".into() };
    random.candidate.quantization = Some(Quantization::Q4K);
    let fit =
        FitEstimate { weights_bytes: 131 << 30, kv_cache_bytes: 0, activation_bytes: 0, available_bytes: 22 << 30 };
    let huge = Row { fit: Some(fit), ..row("huge") };
    run(vec![random, huge])
}
