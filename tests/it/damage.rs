//! Damaged checkpoints: an error that says what is wrong with which file, never a crash.

use crate::snapshot;
use crate::support::bench::Bench;

/// What `bench run` says of a checkpoint, and that `bench compare` gives it a row that says the same.
#[track_caller]
fn refused(bench: &Bench, checkpoint: &str, part: &str) {
    bench.run(&format!("run {checkpoint} --prompt hello")).exits(2).says("error: ").says(part);
    let compared = bench.run(&format!("compare --local {checkpoint} --prompts prompts")).exits(1);
    compared.answers("failed").says(part);
}

#[test]
fn gguf_files() {
    let bench = Bench::new().prompts();
    bench.gguf("qwen2-tied.f32.gguf");
    let whole = std::fs::read(bench.path("qwen2-tied.f32.gguf")).unwrap();
    bench.write("header.gguf", &whole[..1000]);
    refused(&bench, "header.gguf", "the file ends inside its header");
    bench.write("short.gguf", &whole[..60_000]);
    refused(&bench, "short.gguf", "reaches beyond the end of the file");
    bench.write("empty.gguf", "");
    refused(&bench, "empty.gguf", "the file ends inside its header");
    bench.write("page.gguf", "<html>Not found</html>");
    refused(&bench, "page.gguf", "not a GGUF file");
    snapshot!("damage_gguf", bench.run("run short.gguf --prompt hello").exits(2));
}

/// Every 997th byte of the header in turn turned over: whatever comes of it, it is no crash.
#[test]
fn gguf_headers_with_a_wrong_byte() {
    let bench = Bench::new();
    bench.gguf("qwen2-tied.f32.gguf");
    let whole = std::fs::read(bench.path("qwen2-tied.f32.gguf")).unwrap();
    for at in (8..6_000).step_by(997) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0xFF;
        bench.write("wrong.gguf", wrong);
        // Ends by itself, which `run` asserts; a flipped letter of a token may well go unseen.
        let ran = bench.run("run wrong.gguf --ids [1,2] --max-new-tokens 1");
        assert!(matches!(ran.code, Some(0 | 2)), "byte {at}: {ran}");
    }
}

#[test]
fn safetensors() {
    let bench = Bench::with(&["llama-gqa"]);
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let write = |bytes: &[u8]| bench.write("llama-gqa/model.safetensors", bytes);
    write(&whole[..whole.len() / 2]);
    refused(&bench, "llama-gqa", "could not read the weights");
    snapshot!("damage_safetensors", bench.run("run llama-gqa --prompt hello").exits(2));
    write(&whole[..5]);
    refused(&bench, "llama-gqa", "could not read the weights");
    write(b"");
    refused(&bench, "llama-gqa", "could not read the weights");
    std::fs::remove_file(bench.path("llama-gqa/model.safetensors")).unwrap();
    refused(&bench, "llama-gqa", "`llama-gqa` has no weights");
}

#[test]
fn pytorch_files() {
    let bench = Bench::with(&["llama-bin-shards"]);
    let whole = std::fs::read(bench.path("llama-bin-shards/pytorch_model-00001-of-00002.bin")).unwrap();
    for length in [whole.len() / 2, 5, 0] {
        bench.write("llama-bin-shards/pytorch_model-00001-of-00002.bin", &whole[..length]);
        refused(&bench, "llama-bin-shards", "pytorch_model-00001-of-00002.bin");
    }
}

#[test]
fn configs() {
    let bench = Bench::with(&["llama-gqa"]);
    let config = std::fs::read_to_string(bench.path("llama-gqa/config.json")).unwrap();
    for (from, to, part) in [
        ("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5", "the checkpoint lacks weight"),
        ("\"hidden_size\": 64", "\"hidden_size\": 32", "and the config asks for"),
        ("\"hidden_size\": 64", "\"hidden_size\": -1", "`hidden_size` is -1, expected a whole number"),
        ("\"vocab_size\": 352", "\"vocab_size\": \"many\"", "`vocab_size` is \"many\""),
        ("\"hidden_size\": 64,", "", "the config lacks `hidden_size`"),
        ("{", "", "is not valid JSON"),
    ] {
        let wrong = config.replacen(from, to, 1);
        assert_ne!(wrong, config, "{from}");
        bench.write("llama-gqa/config.json", wrong);
        refused(&bench, "llama-gqa", part);
    }
    std::fs::remove_file(bench.path("llama-gqa/config.json")).unwrap();
    bench.run("run llama-gqa --prompt hello").exits(2).says("neither a directory with a config.json");
}

#[test]
fn architectures_that_are_not_supported_yet_are_skipped() {
    let bench = Bench::with(&["llama-gqa"]);
    let config = std::fs::read_to_string(bench.path("llama-gqa/config.json")).unwrap();
    bench.write("llama-gqa/config.json", config.replace("\"model_type\": \"llama\"", "\"model_type\": \"mammoth\""));
    let ran = bench.run("run llama-gqa --prompt hello").exits(2);
    ran.says("architecture `mammoth` is not supported yet").says("hint: supported now");
    let compared = bench.run("compare --local llama-gqa --prompts prompts").exits(1);
    compared.answers("skipped, ").answers("architecture `mammoth` is not supported yet");
}

#[test]
fn tokenizers() {
    let bench = Bench::with(&["llama-gqa"]);
    let tokenizer = std::fs::read(bench.path("llama-gqa/tokenizer.json")).unwrap();
    bench.write("llama-gqa/tokenizer.json", &tokenizer[..1000]);
    refused(&bench, "llama-gqa", "could not read the tokenizer");
    snapshot!("damage_tokenizer", bench.run("run llama-gqa --prompt hello").exits(2));
    bench.write("llama-gqa/tokenizer.json", "{}");
    refused(&bench, "llama-gqa", "could not read the tokenizer");
    bench.write("llama-gqa/tokenizer.json", &tokenizer);
    bench.write("llama-gqa/tokenizer_config.json", "[");
    refused(&bench, "llama-gqa", "`llama-gqa/tokenizer_config.json` is not valid JSON");
    bench.write("llama-gqa/tokenizer_config.json", "{\"chat_template\": \"{% for %}\"}");
    refused(&bench, "llama-gqa", "could not compile the chat template");
    // Runs, and its prompts are joined plainly.
    bench.write("llama-gqa/tokenizer_config.json", "{\"chat_template\": \"{{ raise_exception('no chat') }}\"}");
    bench
        .run("run llama-gqa --prompt hello")
        .exits(0)
        .says("joined plainly, its chat template refuses")
        .says("no chat");
}
