//! Answers of real models, by their meaning: `BENCH_MODELS=… cargo test --test it -- --ignored real_models`.

use std::path::PathBuf;

use bench::acquire::local;
use bench::engine::candle::CandleEngine;
use bench::engine::{Engine, Input, Request, Sampling};
use bench::text::Message;
use candle_core::Device;

use crate::support::Silent;

/// The greedy answer of a checkpoint in the folder that `BENCH_MODELS` names.
fn answer(checkpoint: &str, input: Input) -> String {
    let models = std::env::var_os("BENCH_MODELS").expect("BENCH_MODELS names a folder with the models");
    let checkpoint = local::open(&PathBuf::from(models).join(checkpoint)).unwrap();
    let mut engine = CandleEngine::load(checkpoint, None, &Device::Cpu, &mut |_| {}).unwrap();
    let request = Request { input, max_new_tokens: 48, ignore_eos: false, sampling: Sampling::Greedy };
    engine.generate(&request, &mut Silent).unwrap().text.unwrap()
}

fn ask(question: &str) -> Input {
    Input::Chat(vec![Message::user(question)])
}

#[test]
#[ignore = "needs BENCH_MODELS, a folder with Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf"]
fn qwen_knows_the_capital_of_korea_in_korean() {
    let answer = answer("Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf", ask("대한민국의 수도는 어디인가요?"));
    assert!(answer.contains("서울"), "{answer}");
}

/// Asked "What is the capital of France?" this 4-bit file sings a French song, word for word as it does in llama.cpp.
#[test]
#[ignore = "needs BENCH_MODELS, a folder with SmolLM2-135M-Instruct.Q4_1.gguf"]
fn smollm_knows_the_capital_of_france() {
    let answer = answer("SmolLM2-135M-Instruct.Q4_1.gguf", ask("Name the capital of France."));
    assert!(answer.contains("Paris"), "{answer}");
}

#[test]
#[ignore = "needs BENCH_MODELS, a folder with stories260K/ (config.json, tokenizer.json, model.safetensors)"]
fn stories_tells_of_a_little_girl() {
    let answer = answer("stories260K", Input::Text("Once upon a time".into()));
    assert!(answer.contains("little girl"), "{answer}");
}
