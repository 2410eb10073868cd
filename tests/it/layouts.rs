//! Checkpoints that hold the same computations in other files: under other names, in other numbers, in other folders.

use std::path::{Path, PathBuf};

use bench::acquire::local;
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use serde_json::{Value, json};

use crate::checkpoints::{agrees, mean, reference};
use crate::support::bench::{Bench, Ran};
use crate::support::decoder::{TOLERANCE, load};
use crate::support::fixture;
use crate::support::hub_stand_in::{Contents, HubStandIn};

fn folder(name: &str) -> PathBuf {
    fixture("layouts").join(name)
}

fn exact(path: &Path) -> CandleEngine {
    load(local::open(path).unwrap(), Some(Quantization::F32))
}

const SCALED: [&str; 4] = ["llama-fp8-blocks", "mistral-fp8-rows", "qwen2-fp8-modelopt", "llama-fp8-e5m2"];
const WRAPPED: [&str; 2] = ["gemma3-wrapped", "mistral3-wrapped"];

#[test]
fn scaled_and_wrapped_weights_agree_with_transformers() {
    for name in SCALED.iter().chain(&WRAPPED) {
        let reference = reference(&folder(name).join("reference.json"));
        agrees(name, &mut exact(&folder(name)), &reference, TOLERANCE);
    }
}

/// A safetensors file with its header changed.
fn with_header(file: &[u8], change: impl FnOnce(String) -> String) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header = change(String::from_utf8(file[8..end].to_vec()).unwrap());
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &file[end..]].concat()
}

/// Without a quantization weights of 8 bits are held in 16, which is near what they are.
#[test]
fn floats_of_8_bits_are_held_in_16() {
    for name in SCALED {
        let reference = reference(&folder(name).join("reference.json"));
        let mut engine = load(local::open(&folder(name)).unwrap(), None);
        assert_eq!(engine.precision().to_string(), "bf16");
        let mean = mean(&mut engine, &reference.text);
        assert!(mean < 0.05, "{name}: off by {mean} on average");
    }
}

/// A scale that is not there, or does not fit, is told by its name, whatever the config says.
#[test]
fn floats_of_8_bits_without_their_scales_are_refused() {
    const WEIGHT: &str = "model.layers.0.mlp.up_proj.weight";
    let bench = Bench::new();
    bench.directory(&folder("mistral-fp8-rows"), "mistral-fp8-rows");
    let whole = std::fs::read(bench.path("mistral-fp8-rows/model.safetensors")).unwrap();
    let renamed = |from: &str, to: &str| {
        let file = with_header(&whole, |header| header.replace(&format!("\"{from}\""), &format!("\"{to}\"")));
        bench.write("mistral-fp8-rows/model.safetensors", file);
        bench.run("run mistral-fp8-rows --ids [1,2] --max-new-tokens 1").exits(2)
    };
    let scale = format!("{WEIGHT}_scale");
    let ran = renamed(&scale, "stray");
    ran.says(&format!("weight `{WEIGHT}` is stored as F8_E4M3, and its scale is missing"));
    let ran = renamed("model.layers.0.mlp.up_proj.input_scale", "model.norm.weight_scale");
    ran.says("weight `model.norm.weight` is stored as BF16 and has a scale `model.norm.weight_scale`");
    let config = std::fs::read_to_string(bench.path("mistral-fp8-rows/config.json")).unwrap();
    bench.write("mistral-fp8-rows/config.json", config.replace("float-quantized", "pack-quantized"));
    let ran = renamed(&scale, &scale);
    ran.says("`quantization_config` = compressed-tensors (pack-quantized) is not supported yet").says("hint: name the");
}

/// Blocks of other sides, of which a matrix has as many, are other weights.
#[test]
fn the_sides_of_blocks_matter() {
    let bench = Bench::new();
    bench.directory(&folder("llama-fp8-blocks"), "blocks");
    let config = std::fs::read_to_string(bench.path("blocks/config.json")).unwrap();
    let sides: String = config.split_whitespace().collect::<String>().replace("[24,20]", "[20,24]");
    bench.write("blocks/config.json", sides);
    let reference = reference(&folder("llama-fp8-blocks").join("reference.json"));
    assert!(reference.text.worst(&mut exact(&bench.path("blocks"))) > 0.1);
}

/// What sees beside a decoder is neither downloaded nor counted, whichever index names it.
#[test]
fn shards_with_nothing_of_the_decoder_stay_on_the_hub() {
    let shard = |number: u32| format!("model-{number:05}-of-00004.safetensors");
    let mut contents = Contents::default();
    for file in std::fs::read_dir(folder("gemma3-wrapped")).unwrap() {
        let (name, content) = (file.as_ref().unwrap().file_name(), std::fs::read(file.unwrap().path()).unwrap());
        let name = name.to_str().unwrap();
        contents =
            if name.ends_with("safetensors") { contents.large(name, content) } else { contents.small(name, content) };
    }
    let server = HubStandIn::start(contents);
    let bench = Bench::new().variable("HF_ENDPOINT", server.endpoint()).variable("HF_HOME", "hf");
    let planned = |line: &str| {
        let rows = bench.run(&format!("plan {line} --gpu l4 --format json")).exits(0).json()["rows"].clone();
        let stored = rows.as_array().unwrap().iter().find(|row| row["quantization"] == "stored").cloned();
        stored.unwrap()["weights_bytes"].as_u64().unwrap()
    };
    let parameters = local::open(&folder("gemma3-wrapped")).unwrap().facts.parameters;
    assert_eq!(planned("org/name"), 2 * parameters, "each number of the decoder takes two bytes");
    bench.directory(&folder("gemma3-wrapped"), "whole");
    assert_eq!(planned("whole"), 2 * parameters);
    bench.run("run org/name --ids [1,2] --max-new-tokens 1").exits(0);
    let asked = [1, 2, 3, 4].map(|number| !server.ranges(&shard(number)).is_empty());
    assert_eq!(asked, [true, true, false, false]);
}

/// The names of `torch.compile`, of data parallelism, of models that see, and of a model that was saved without its head.
#[test]
fn what_wrappers_add_to_names_changes_nothing() {
    let bench = Bench::with(&["llama-gqa"]);
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let reference = reference(&fixture("checkpoints/llama-gqa/reference.json"));
    for prefix in ["", "_orig_mod.model.", "module.model.", "language_model.model.", "model.language_model."] {
        let file = with_header(&whole, |header| header.replace("\"model.", &format!("\"{prefix}")));
        bench.write("llama-gqa/model.safetensors", file);
        agrees(prefix, &mut exact(&bench.path("llama-gqa")), &reference, TOLERANCE);
    }
    let file = with_header(&whole, |header| header.replace("model.layers.0.input_layernorm.", "_orig_mod.model.norm."));
    bench.write("llama-gqa/model.safetensors", file);
    let ran = bench.run("run llama-gqa --ids [1,2]").exits(2);
    ran.says("norm.weight` mean weight `model.norm.weight`");
}

#[test]
fn shards_without_an_index_are_read_and_a_lacking_one_is_named() {
    let bench = Bench::with(&["llama-old-config"]);
    let shard = |number: u32| format!("llama-old-config/model-{number:05}-of-00002.safetensors");
    let reference = reference(&fixture("checkpoints/llama-old-config/reference.json"));
    let agrees = |how: &str| agrees(how, &mut exact(&bench.path("llama-old-config")), &reference, TOLERANCE);
    std::fs::remove_file(bench.path("llama-old-config/model.safetensors.index.json")).unwrap();
    agrees("numbered");
    bench.write("llama-old-config/consolidated.safetensors", "of another program");
    agrees("beside another layout");
    let move_to = |from: &str, to: &str| std::fs::rename(bench.path(from), bench.path(to)).unwrap();
    move_to(&shard(2), "llama-old-config/b.safetensors");
    let run = |line: &str| -> Ran { bench.run(&format!("{line} llama-old-config --ids [1,2]")).exits(2) };
    run("run").says("lacks `model-00002-of-00002.safetensors`, shard 2 of 2").says("hint: download it again");
    move_to(&shard(1), "llama-old-config/a.safetensors");
    agrees("by any name");
    std::fs::copy(bench.path("llama-old-config/b.safetensors"), bench.path("llama-old-config/c.safetensors")).unwrap();
    run("run").says("is in several files of `llama-old-config`, and no index says which counts");
}

#[test]
fn a_folder_may_be_of_the_hub_s_cache_or_hold_one_gguf_file() {
    const COMMIT: &str = "models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567";
    let bench = Bench::new().prompts();
    let answers = |path: &str| bench.run(&format!("run {path} --ids [1,2] --max-new-tokens 2")).exits(0);
    bench.directory(&fixture("checkpoints/llama-gqa"), COMMIT);
    for path in ["models--org--name", "models--org--name/snapshots", COMMIT] {
        answers(path);
    }
    bench.write("folder/README.md", "A model.");
    bench.gguf("llama-gqa.f32.gguf");
    std::fs::rename(bench.path("llama-gqa.f32.gguf"), bench.path("folder/a.gguf")).unwrap();
    answers("folder");
    bench
        .write("models.toml", "[defaults]\nquantization = [\"q4_k\"]\n[[candidate]]\nid = \"a\"\nlocal = \"folder\"\n");
    bench.run("compare --prompts prompts --suite count").exits(0).answers("f32");
    let rows = bench.run("plan folder --gpu l4 --format json").exits(0).json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1, "a GGUF file has one precision");
    bench.write("folder/b.gguf", "");
    let ran = bench.run("run folder --ids [1]").exits(2);
    ran.says("`folder` has no config.json and several GGUF files")
        .says("hint: name one of them: `folder/a.gguf`, `folder/b");
}

#[test]
fn a_config_alone_is_planned() {
    let bench = Bench::new();
    bench.write("alone/config.json", std::fs::read(fixture("checkpoints/llama-gqa/config.json")).unwrap());
    bench.run("plan alone --gpu l4 --quantization q4_k").exits(0).answers("q4_k").answers("yes");
    bench.run("run alone --ids [1]").exits(2).says("`alone` has no weights");
}

#[test]
fn a_weight_that_lacks_is_told_with_what_stands_in_its_place() {
    let bench = Bench::with(&["llama-gqa"]);
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let lacks = |from: &str, to: &str| {
        bench.write("llama-gqa/model.safetensors", with_header(&whole, |header| header.replace(from, to)));
        bench.run("run llama-gqa --ids [1,2]").exits(2)
    };
    let ran = lacks("q_proj.weight", "q_proj.qweight");
    ran.says("q_proj.weight`; in its place stand `model.layers.")
        .says("q_proj.qweight`")
        .says("hint: the weights are quantized by GPTQ or AWQ");
    lacks("gate_proj", "w1")
        .says(".mlp.gate_proj.weight`; in its place stand `model.layers.")
        .says(".mlp.down_proj.weight`");
    lacks("model.layers.", "blocks.").says("; in its place stand `blocks.0.").says(" more");
}

/// As transformers 5: what is stored beside the embedding and differs from it is the head, whatever the config says.
#[test]
fn a_stored_head_that_differs_from_a_tied_embedding_is_used_with_a_warning() {
    const NAME: &str = "model.embed_tokens.weight";
    let bench = Bench::with(&["llama-gqa"]);
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let end = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&whole[8..end]).unwrap();
    let place = header[NAME]["data_offsets"].clone();
    let [start, stop] = [0, 1].map(|side| place[side].as_u64().unwrap() as usize);
    let embedding = whole[end + start..end + stop].to_vec();
    let with_head = |head: &[u8]| {
        let mut header = header.clone();
        let length = whole.len() - end;
        header["lm_head.weight"] = header[NAME].clone();
        header["lm_head.weight"]["data_offsets"] = json!([length, length + head.len()]);
        let mut file = with_header(&whole, |_| header.to_string());
        file.extend(head);
        bench.write("llama-gqa/model.safetensors", file);
    };
    with_head(&embedding);
    let reference = reference(&fixture("checkpoints/llama-gqa/reference.json"));
    agrees("the same head", &mut exact(&bench.path("llama-gqa")), &reference, TOLERANCE);
    let quiet = bench.run("run llama-gqa --ids [1,2] --max-new-tokens 1").exits(0);
    assert!(!quiet.stderr.contains("ties the output head"), "{quiet}");
    with_head(&vec![0; embedding.len()]);
    let head = reference.text.differences(&mut exact(&bench.path("llama-gqa")));
    // Every token is as likely as any other.
    let uniform = reference.text.log_probs.iter().map(|known| (known + 352f64.ln()).abs());
    assert!(head.iter().zip(uniform).all(|(found, expected)| (found - expected).abs() < 1e-4));
    let ran = bench.run("run llama-gqa --ids [1,2] --max-new-tokens 1").exits(0);
    ran.says("the config ties the output head to the embedding, and the files hold a head that differs");
}
