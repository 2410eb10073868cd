//! Made-up checks, with everything in them that is hard to print: for tests of the reports.

use super::digest::DEFINITIONS;
use super::{
    Asked, Baseline, Check, Digest, JudgedAnswer, Noise, NoiseFigure, Place, PromptDigest, RowDigest, Subject, check,
};
use crate::catalog::{Candidate, Quantization, Source, Variant};
use crate::metric::{DECODE, Metric, TTFT};
use crate::quality::RULES;
use crate::record::{AnswerAgreement, CheckpointFacts, FailureKind, FileFacts, RowOutcome, Run};
use crate::suite::{self, Language};
use crate::summarize::testing;

/// A name with everything in it that ends a cell, a tag, an attribute or a line in some format.
const AWKWARD: &str = "한국어 <모델>|\"큰\" & '작은',\n둘째: 100%";

/// Two variants of a candidate, at 8 bits and at 4, that were asked the same in English and Korean: of each answer its time
/// to the first token, of which the answer takes twice as many milliseconds, and whether it is right.
pub(crate) fn two_variants(before: &[(u64, bool)], after: &[(u64, bool)]) -> Run {
    let language = |index: usize| if index.is_multiple_of(2) { Language::En } else { Language::Ko };
    let prompts = (0..before.len()).map(|index| {
        let mut asked = testing::asked();
        let word = if language(index) == Language::En { "red" } else { "빨강" };
        asked.prompt.id = format!("p{}", index / 2);
        asked.prompt.language = Some(language(index));
        asked.prompt.expected.language = Some(language(index));
        asked.prompt.expected.checks = vec![suite::Check::Contains(vec![word.into()])];
        asked
    });
    let row = |quantization, answers: &[(u64, bool)]| {
        let trial = |(index, (milliseconds, right)): (usize, &(u64, bool))| {
            let text = match (language(index), right) {
                (Language::En, true) => "It is red.",
                (Language::En, false) => "It is blue.",
                (Language::Ko, true) => "빨강입니다.",
                (Language::Ko, false) => "파랑입니다.",
            };
            let mut trial = testing::text_trial(*milliseconds, milliseconds / 10, 11, text);
            trial.key.prompt = format!("p{}", index / 2);
            trial.key.language = Some(language(index));
            trial
        };
        let mut row = testing::ran("a", answers.iter().enumerate().map(trial).collect());
        row.candidate = row.candidate.varied(&Variant::Quantization(Some(quantization)));
        if let Some(load) = &mut row.load {
            (load.together, load.peak_bytes) = (true, None);
        }
        row
    };
    let mut rows = vec![row(Quantization::Q8_0, before), row(Quantization::Q4K, after)];
    rows[1].agreements = (0..before.len())
        .map(|index| AnswerAgreement {
            suite: "interview".into(),
            language: Some(language(index)),
            prompt: format!("p{}", index / 2),
            kl_nats: vec![0.0, 0.25, 0.5],
            same_top: vec![true, true, index % 2 == 0],
        })
        .collect();
    Run { prompts: prompts.collect(), ..testing::run(rows) }
}

/// Every verdict with every doubt, answers that part, a candidate that fails and one that is new.
pub(crate) fn everything() -> Check {
    of(&baseline(), &now())
}

/// A candidate that does as it did.
pub(crate) fn unchanged() -> Check {
    let mut baseline = baseline();
    baseline.digest.rows.retain(|row| row.candidate.id == "qwen2.5-7b");
    baseline.digest.rows[0].prompts.retain(|prompt| prompt.prompt == "pp128+tg64");
    let now = baseline.digest.clone();
    of(&baseline, &now)
}

/// A candidate without any figure that is asked for.
pub(crate) fn nothing() -> Check {
    let mut check = unchanged();
    check.rows.iter_mut().for_each(|row| row.figures.clear());
    check
}

/// What [`everything`] is judged against.
pub(crate) fn baseline() -> Baseline {
    let qwen = RowDigest {
        load_seconds: vec![4.2],
        memory_bytes: vec![4 << 30],
        prompts: vec![
            tokens("pp128+tg64", &[(TTFT, about(0.5, 0.01)), (DECODE, about(20.0, 0.01))]),
            tokens("pp512+tg64", &[(TTFT, about(2.0, 0.01)), (DECODE, about(19.5, 0.06))]),
            text("자기소개", &[(DECODE, vec![19.0])]),
        ]
        .into_iter()
        .chain(judged(&[true; 20]))
        .collect(),
        ..row("qwen2.5-7b", Some(Quantization::Q4K))
    };
    let decode = || vec![tokens("pp128+tg64", &[(DECODE, about(10.0, 0.01))])];
    let awkward = RowDigest { prompts: [decode(), vec![text("p|1", &[])]].concat(), ..row(AWKWARD, None) };
    let place = Place { row: qwen.candidate.row(), suite: None, prompt: None };
    let others = ["gemma-2-9b", "llama-3-8b", "exaone-3.5-7.8b"];
    let others = others.map(|id| RowDigest { prompts: decode(), ..row(id, Some(Quantization::Q8_0)) });
    Baseline {
        digest: digest("20261101-081500-77aa", [vec![qwen, awkward], others.to_vec()].concat()),
        noise: Some(Noise {
            runs: 8,
            figures: vec![NoiseFigure { place, metric: Subject::Load.key().into(), share: 0.1 }],
        }),
    }
}

fn now() -> Digest {
    let mut rows = baseline().digest.rows;
    let [qwen, awkward, gemma, llama, exaone] = rows.as_mut_slice() else { panic!("{rows:?}") };
    qwen.load_seconds = vec![4.3];
    set(&mut qwen.prompts[0], &[(TTFT, about(0.502, 0.01)), (DECODE, about(17.8, 0.01))]);
    set(&mut qwen.prompts[1], &[(TTFT, about(1.6, 0.01)), (DECODE, about(18.7, 0.06))]);
    for prompt in qwen.prompts.iter_mut().filter(|prompt| prompt.judged.is_some()).take(9) {
        prompt.judged = prompt.judged.map(|judged| JudgedAnswer { passes: Some(false), ..judged });
    }
    awkward.prompts[0].token_ids[3][2] = 99;
    awkward.prompts[1].token_ids[0].truncate(2);
    gemma.checkpoint = Some(checkpoint("b20e87b4c5c0e0f00527c57df41dd19db03ed98d"));
    llama.outcome = RowOutcome::Failed {
        kind: FailureKind::OutOfMemory,
        message: "needs 8.00 GiB,\n<6.00 GiB> | are free & so on".into(),
    };
    llama.prompts.clear();
    exaone.disturbed = 9;
    exaone.slowdown_bound = Some(2.2);
    set(&mut exaone.prompts[0], &[(DECODE, about(8.0, 0.01))]);
    exaone.disturbed_by = vec!["rust|c".into(), "ld".into()];
    rows.push(RowDigest { prompts: vec![tokens("pp128+tg64", &[])], ..row("new|one", None) });
    digest("20261120-051733-4f2a", rows)
}

fn of(baseline: &Baseline, now: &Digest) -> Check {
    let asked = Asked::new(&[], &[], false).expect("nothing is asked for by name");
    check(baseline, now, &asked)
}

fn digest(run: &str, rows: Vec<RowDigest>) -> Digest {
    let like = testing::run(Vec::new());
    let mut settings = like.settings;
    settings.suites = [("speed".into(), "ab".repeat(32)), ("interview".into(), "cd".repeat(32))].into();
    Digest {
        run: run.into(),
        started_at: like.started_at,
        environment: like.environment,
        settings,
        definitions: DEFINITIONS,
        rules: Some(RULES),
        rows,
    }
}

fn row(id: &str, quantization: Option<Quantization>) -> RowDigest {
    RowDigest {
        candidate: Candidate {
            id: id.into(),
            source: Source::Hub { repository: "owner/name".into(), revision: "main".into(), file: None },
            quantization,
            adapter: None,
            variant: None,
            licence: None,
            notes: None,
            prompt_format: None,
        },
        outcome: RowOutcome::Ran,
        checkpoint: Some(checkpoint("a09a35458c702b33eeacc393d103063234e8bc28")),
        load_seconds: Vec::new(),
        memory_bytes: Vec::new(),
        disturbed: 0,
        gpu_disturbed: 0,
        slowdown_bound: None,
        disturbed_by: Vec::new(),
        prompts: Vec::new(),
        pooled: Vec::new(),
    }
}

fn checkpoint(commit: &str) -> CheckpointFacts {
    CheckpointFacts {
        commit: Some(commit.into()),
        architecture: "qwen2".into(),
        parameters: 7_615_616_512,
        files: vec![FileFacts { path: "config.json".into(), bytes: 663, sha256: Some("01".repeat(32)) }],
        synthetic: false,
    }
}

/// Twenty trials of a prompt of token ids.
fn tokens(prompt: &str, values: &[(Metric, Vec<f64>)]) -> PromptDigest {
    asked("speed", None, prompt, 20, values)
}

/// One trial of a Korean prompt.
fn text(prompt: &str, values: &[(Metric, Vec<f64>)]) -> PromptDigest {
    asked("interview", Some(Language::Ko), prompt, 1, values)
}

fn asked(
    suite: &str,
    language: Option<Language>,
    prompt: &str,
    trials: usize,
    values: &[(Metric, Vec<f64>)],
) -> PromptDigest {
    let mut digest = PromptDigest {
        suite: suite.into(),
        language,
        prompt: prompt.into(),
        trials,
        failed: 0,
        values: Default::default(),
        token_ids: vec![vec![11, 12, 13, 14]; trials],
        judged: None,
    };
    set(&mut digest, values);
    digest
}

fn set(prompt: &mut PromptDigest, values: &[(Metric, Vec<f64>)]) {
    prompt.values = values.iter().map(|(metric, values)| (metric.key.to_owned(), values.clone())).collect();
}

/// Korean answers that pass or not. They were given at once, and have no times.
pub(crate) fn judged(passes: &[bool]) -> Vec<PromptDigest> {
    let answers = passes.iter().enumerate().map(|(number, passes)| PromptDigest {
        judged: Some(JudgedAnswer { language: Some(Language::Ko), faithful: true, passes: Some(*passes) }),
        ..text(&format!("{number:02}"), &[])
    });
    answers.collect()
}

/// Of one candidate with these prompts.
pub(crate) fn digest_of(prompts: Vec<PromptDigest>) -> Digest {
    digest("20261120-051733-4f2a", vec![RowDigest { prompts, ..row("qwen2.5-7b", Some(Quantization::Q4K)) }])
}

/// Twenty values evenly from `spread` below `middle` to `spread` above it.
fn about(middle: f64, spread: f64) -> Vec<f64> {
    (0..20).map(|step| middle * (1.0 + spread * (f64::from(step) / 9.5 - 1.0))).collect()
}
