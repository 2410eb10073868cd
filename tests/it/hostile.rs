//! Files made to harm, or damaged where it shows late: each is refused by an error that says what is wrong, and none is
//! given memory on its word.

use std::ops::Range;
use std::path::Path;

use ::bench::acquire::adapter::Adapter;
use ::bench::acquire::local;
use ::bench::catalog::Quantization;
use ::bench::causes::chain;
use ::bench::engine::candle::CandleEngine;
use ::bench::engine::{Engine, Input, Request, Sampling};
use candle_core::Device;
use serde_json::{Value, json};

use crate::support::bench::Bench;
use crate::support::{Silent, fixture};

/// Why a checkpoint does not load and answer, in this process: for cases that are many.
#[track_caller]
fn fails(path: &Path) -> String {
    let answer = || -> Result<(), String> {
        let checkpoint = local::open(path).map_err(|error| chain(&error))?;
        checkpoint.text.as_ref().map(drop).map_err(|error| chain(error))?;
        let engine = CandleEngine::load(checkpoint, None, &Device::Cpu, &mut |_| {});
        let mut engine = engine.map_err(|error| chain(&error))?;
        let input = Input::Tokens(vec![1, 2]);
        let request = Request { input, max_new_tokens: 1, ignore_eos: false, sampling: Sampling::Greedy };
        engine.generate(&request, &mut Silent).map(drop).map_err(|error| chain(&error))
    };
    answer().expect_err("the damage was not seen")
}

/// A safetensors file's header and where its numbers begin.
fn header(file: &[u8]) -> (Value, usize) {
    let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&file[8..end]).unwrap(), end)
}

/// The same numbers under a changed header.
fn under(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut header, end) = header(file);
    change(&mut header);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &file[end..]].concat()
}

/// Where a tensor's bytes lie.
fn place(file: &[u8], tensor: &str) -> Range<usize> {
    let (header, end) = header(file);
    let offset = |at: usize| end + header[tensor]["data_offsets"][at].as_u64().unwrap() as usize;
    offset(0)..offset(1)
}

/// Densely through the beginning of its header, then in steps to its last byte.
#[test]
fn files_of_any_length_short_of_the_whole() {
    let bench = Bench::with(&["llama-gqa", "llama-bin-legacy"]);
    bench.gguf("qwen2-tied.f32.gguf");
    for (file, checkpoint) in [
        ("llama-gqa/model.safetensors", "llama-gqa"),
        ("llama-bin-legacy/pytorch_model.bin", "llama-bin-legacy"),
        ("qwen2-tied.f32.gguf", "qwen2-tied.f32.gguf"),
    ] {
        let whole = std::fs::read(bench.path(file)).unwrap();
        let steps = (64..whole.len()).step_by(whole.len() / 60);
        for length in (0..64).chain(steps).chain([whole.len() - 1]) {
            bench.write(file, &whole[..length]);
            assert!(!fails(&bench.path(checkpoint)).contains("could not compute"), "{file} of {length} bytes");
        }
    }
}

#[test]
fn safetensors_headers_that_lie() {
    let bench = Bench::with(&["llama-gqa"]);
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let error = |file: Vec<u8>| {
        bench.write("llama-gqa/model.safetensors", file);
        fails(&bench.path("llama-gqa"))
    };
    for length in [1 << 63, u64::MAX, 1 << 40, whole.len() as u64, 100_000_001, 0] {
        let error = error([&length.to_le_bytes()[..], &whole[8..]].concat());
        assert!(error.contains("could not read the weights"), "{length}: {error}");
    }
    let (start, end) = (378_880, 379_136);
    let (_, numbers) = header(&whole);
    assert_eq!(place(&whole, "model.norm.weight"), numbers + start..numbers + end);
    for (key, value) in [
        ("data_offsets", json!([end, start])),
        ("data_offsets", json!([start, end + 4])),
        ("data_offsets", json!([0, 256])),
        ("data_offsets", json!([u64::MAX - 255, u64::MAX])),
        ("data_offsets", json!([-256, 0])),
        ("data_offsets", json!([start])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("shape", json!([-64])),
        ("shape", json!([0])),
        ("dtype", json!("F16")),
        ("dtype", json!("F31")),
        ("dtype", json!([[[[[]]]]])),
    ] {
        let error = error(under(&whole, |header| header["model.norm.weight"][key] = value.clone()));
        assert!(error.contains("could not read the weights"), "{key} = {value}: {error}");
    }
    // True to the numbers, but not to the config.
    let shape = error(under(&whole, |header| header["model.norm.weight"]["shape"] = json!([8, 8])));
    assert_eq!(shape, "weight `model.norm.weight` has shape [8, 8], and the config asks for [64]");
    let lacking = error(under(&whole, |header| {
        let norm = header.as_object_mut().unwrap().remove("model.norm.weight").unwrap();
        header["model.norm.other"] = norm;
    }));
    assert!(
        lacking.starts_with("the checkpoint lacks weight `model.norm.weight`; in its place stand `model."),
        "{lacking}"
    );
}

/// Not only that something is wrong, but in which weight; already at loading, where it shows there.
#[test]
fn weights_that_are_not_numbers_are_named() {
    let bench = Bench::with(&["llama-gqa", "deepseek-v2-greedy"]);
    for (checkpoint, name) in [
        ("llama-gqa", "model.layers.2.mlp.down_proj.weight"),
        ("llama-gqa", "model.layers.3.input_layernorm.weight"),
        ("llama-gqa", "model.layers.0.self_attn.k_proj.weight"),
        ("llama-gqa", "model.norm.weight"),
        ("llama-gqa", "model.embed_tokens.weight"),
        ("deepseek-v2-greedy", "model.layers.0.self_attn.kv_b_proj.weight"),
        ("deepseek-v2-greedy", "model.layers.1.mlp.gate.weight"),
    ] {
        let file = format!("{checkpoint}/model.safetensors");
        let whole = std::fs::read(fixture("checkpoints").join(&file)).unwrap();
        let start = place(&whole, name).start;
        for number in [f32::NAN, f32::INFINITY] {
            let mut damaged = whole.clone();
            damaged[start..start + 4].copy_from_slice(&number.to_le_bytes());
            bench.write(&file, damaged);
            let expected =
                format!("weight `{name}` holds values that are not numbers, or infinite: the checkpoint is damaged");
            assert_eq!(fails(&bench.path(checkpoint)), expected, "{number}");
        }
        bench.write(&file, whole);
    }
    // In one token's embedding alone, which loading does not touch.
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    let row = place(&whole, "model.embed_tokens.weight").start + 300 * 64 * 4;
    let mut damaged = whole.clone();
    damaged[row..row + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    bench.write("llama-gqa/model.safetensors", damaged);
    let ran = bench.run("run llama-gqa --ids [300] --max-new-tokens 1").exits(2);
    ran.says("weight `model.embed_tokens.weight` holds").says("hint: the file is cut short or damaged");
}

#[test]
fn indexes_of_shards() {
    let bench = Bench::with(&["llama-old-config"]);
    let index = "llama-old-config/model.safetensors.index.json";
    let whole: Value = serde_json::from_slice(&std::fs::read(bench.path(index)).unwrap()).unwrap();
    let error = |index_json: Value| {
        bench.write(index, index_json.to_string());
        fails(&bench.path("llama-old-config"))
    };
    let name = whole["weight_map"].as_object().unwrap().keys().next().unwrap();
    for (file, message) in [
        (json!("../llama-old-config/model-00001-of-00002.safetensors"), "which is not a plain file name"),
        (json!("/etc/passwd"), "which is not a plain file name"),
        (json!(".."), "which is not a plain file name"),
        (json!(""), "which is not a plain file name"),
        (json!("nowhere.safetensors"), "could not read `"),
        (json!("config.json"), "could not read the weights"),
        (json!("model.safetensors.index.json"), "could not read the weights"),
        (json!(7), "has no weights"),
    ] {
        let mut changed = whole.clone();
        changed["weight_map"][name] = file.clone();
        let error = error(changed);
        assert!(error.contains(message), "{file}: {error}");
    }
    for nothing in [json!({ "weight_map": {} }), json!({ "weight_map": [] }), json!([])] {
        assert!(error(nothing.clone()).contains("has no weights"), "{nothing}");
    }
    let mut one = whole.clone();
    let map = one["weight_map"].as_object_mut().unwrap();
    map.values_mut().for_each(|file| *file = json!("model-00001-of-00002.safetensors"));
    assert!(error(one).contains("the checkpoint lacks weight `"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop.safetensors", bench.path("llama-old-config/loop.safetensors")).unwrap();
        let mut circle = whole.clone();
        circle["weight_map"][name] = json!("loop.safetensors");
        assert!(error(circle).contains("could not read `"));
    }
}

#[test]
fn adapters() {
    let bench = Bench::with(&["llama-gqa"]);
    let directory = fixture("adapters/llama-gqa-lora");
    let whole = std::fs::read(directory.join("adapter_model.safetensors")).unwrap();
    let error = |bytes: &[u8], rank: Option<usize>| {
        bench.write("adapter.safetensors", bytes);
        let adapter = Adapter::open(&directory).unwrap();
        let rank = rank.unwrap_or(adapter.rank);
        let mut checkpoint = local::open(&bench.path("llama-gqa")).unwrap();
        checkpoint.adapter = Some(Adapter { rank, file: bench.path("adapter.safetensors"), ..adapter });
        let loaded = CandleEngine::load(checkpoint, Some(Quantization::F32), &Device::Cpu, &mut |_| {});
        chain(&loaded.err().expect("the damage was not seen"))
    };
    for length in [0, 5, 1000, whole.len() / 2, whole.len() - 1] {
        assert!(error(&whole[..length], None).contains("could not read the adapter `"), "{length} bytes");
    }
    assert!(error(&whole, Some(3)).contains("and its rank and the weight ask for [3, "));
    let renamed = |from: &str, to: &str| {
        under(&whole, |header| {
            let tensors = header.as_object_mut().unwrap();
            let name = tensors.keys().find(|name| name.contains(from)).unwrap().clone();
            let tensor = tensors.remove(&name).unwrap();
            tensors.insert(name.replace(from, to), tensor);
        })
    };
    assert!(error(&renamed("lora_A", "lora_C"), None).contains("which the checkpoint does not have"));
    assert!(error(&renamed("layers.0", "layers.99"), None).contains("which the checkpoint does not have"));
    // One half goes where another was to go: both are halves then.
    let lacking = error(&renamed("0.mlp.down_proj.lora_A", "0.mlp.up_proj.lora_A"), None);
    assert!(
        lacking.contains("the other half of what it has") || lacking.contains("of the adapter has shape"),
        "{lacking}"
    );
}

#[test]
fn pytorch_archives() {
    let bench = Bench::with(&["llama-bin-shards"]);
    let file = "llama-bin-shards/pytorch_model-00001-of-00002.bin";
    let whole = std::fs::read(bench.path(file)).unwrap();
    let changed = |find: &[u8], with: &[u8], all: bool| {
        let mut bytes = whole.clone();
        let places = whole.windows(find.len()).enumerate().filter(|(_, window)| *window == find).map(|(at, _)| at);
        let places: Vec<usize> = places.collect();
        assert!(!places.is_empty());
        for at in places.into_iter().take(if all { usize::MAX } else { 1 }) {
            bytes[at..at + with.len()].copy_from_slice(with);
        }
        bytes
    };
    // The method of compression in the central directory: 8 bytes behind the signature and two versions.
    let mut compressed = whole.clone();
    let directory = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    compressed[directory + 10] = 8;
    for (bytes, message) in [
        (compressed, "is compressed, which PyTorch does not do"),
        (
            changed(b"_rebuild_tensor_v2", b"_rebuild_nothing__", true),
            "the pickle asks to call `torch._utils._rebuild_nothing__`",
        ),
        (changed(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cbuiltins\neval\ncbuiltins\nexec\n000", true), "the pickle"),
        (changed(b"HalfStorage", b"QIntStorage", true), "is of type QIntStorage, which is not supported"),
        (changed(b"data.pkl", b"Data.pkl", true), "the archive has no data.pkl"),
    ] {
        bench.write(file, bytes);
        let error = fails(&bench.path("llama-bin-shards"));
        assert!(error.contains(message), "{message}: {error}");
        assert!(error.contains("pytorch_model-00001-of-00002.bin"), "{error}");
    }
    // Wherever a byte is turned over it is no crash.
    for at in (0..whole.len()).step_by(whole.len() / 200) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0xFF;
        bench.write(file, wrong);
        if let Ok(checkpoint) = local::open(&bench.path("llama-bin-shards")) {
            let _ = CandleEngine::load(checkpoint, None, &Device::Cpu, &mut |_| {});
        }
    }
}

#[test]
fn configs_and_texts() {
    let bench = Bench::with(&["llama-gqa"]);
    let error = |file: &str, contents: String| {
        let path = format!("llama-gqa/{file}");
        let before = std::fs::read(bench.path(&path)).ok();
        bench.write(&path, contents);
        let error = fails(&bench.path("llama-gqa"));
        match before {
            Some(before) => bench.write(&path, before),
            None => std::fs::remove_file(bench.path(&path)).unwrap(),
        }
        error
    };
    let json = |file: &str| -> Value {
        serde_json::from_slice(&std::fs::read(fixture("checkpoints/llama-gqa").join(file)).unwrap()).unwrap()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let config = json("config.json").to_string();
    for (file, contents, message) in [
        ("config.json", config.replace("10000.0", "1e999"), "is not valid JSON"),
        ("config.json", deep.clone(), "is not valid JSON"),
        ("config.json", "null".into(), "the config is not a JSON object"),
        ("config.json", config.replace("349", "[349, \"</s>\"]"), "`eos_token_id` is \"</s>\""),
        ("generation_config.json", "[".into(), "is not valid JSON"),
        ("generation_config.json", "[]".into(), "the config is not a JSON object"),
        ("generation_config.json", r#"{"eos_token_id": -1}"#.into(), "`eos_token_id` is -1"),
        ("tokenizer_config.json", deep.clone(), "is not valid JSON"),
        ("tokenizer.json", deep, "could not read the tokenizer"),
        ("tokenizer.json", "\u{0}".into(), "could not read the tokenizer"),
        ("chat_template.jinja", "{% if %}".into(), "could not compile the chat template"),
        ("chat_template.json", "{".into(), "is not valid JSON"),
    ] {
        let error = error(file, contents);
        assert!(error.contains(message), "{file}, {message}: {error}");
    }
    let mut tokenizer = json("tokenizer.json");
    tokenizer["model"]["merges"][0] = json!(["nothing", "of the kind"]);
    assert!(error("tokenizer.json", tokenizer.to_string()).contains("makes no token"));

    // A vocabulary larger than the model's: refused where a token of it is met, by its id.
    let mut tokenizer = json("tokenizer.json");
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let letter = vocabulary.keys().find(|token| *token == "h").unwrap().clone();
    vocabulary.insert(letter, json!(4_000_000_000_u64));
    bench.write("llama-gqa/tokenizer.json", tokenizer.to_string());
    let ran = bench.run("run llama-gqa --raw --prompt h").exits(2);
    ran.says("token id 4000000000 is not in the vocabulary of 352 tokens");

    // A million ends of sequence are as many, and no harm.
    bench.checkpoint("llama-gqa", "llama-gqa");
    let ends = json!({ "eos_token_id": (0..1_000_000).map(|id| id % 352).collect::<Vec<u32>>() });
    bench.write("llama-gqa/generation_config.json", ends.to_string());
    bench.run("run llama-gqa --prompt hello --max-new-tokens 1").exits(0);

    for (template, message) in [
        ("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "fuel"),
        ("{{ 'a'|indent(1000000000000000) }}", "a width or count of 1000000000000000"),
    ] {
        bench.write("llama-gqa/tokenizer_config.json", json!({ "chat_template": template }).to_string());
        bench.run("run llama-gqa --prompt hello").exits(2).says("could not render the chat template").says(message);
    }
    let include = json!({ "chat_template": "{% include '../../etc/passwd' %}" });
    bench.write("llama-gqa/tokenizer_config.json", include.to_string());
    let ran = bench.run("run llama-gqa --prompt hello").exits(0);
    ran.says("joined plainly, its chat template refuses: ").says("tried to include non-existing template");
}

/// Under a limit of memory every header that lies about a size ends in an answer, not in an abort.
#[test]
#[cfg(target_os = "linux")]
fn no_size_is_believed_before_it_is_seen() {
    const LIMIT: u64 = 4 << 30;
    const HUGE: u64 = 1 << 40;
    let bench = Bench::with(&["llama-gqa", "llama-bin-shards"]).memory(LIMIT);
    bench.gguf("llama-gqa.f32.gguf");
    for whole in ["llama-gqa", "llama-bin-shards", "llama-gqa.f32.gguf"] {
        bench.run(&format!("run {whole} --prompt hello --max-new-tokens 2")).exits(0);
    }
    let refused = |checkpoint: &str, message: &str| {
        bench
            .run(&format!("run {checkpoint} --prompt hello --max-new-tokens 2"))
            .exits(2)
            .says("error: ")
            .says(message);
    };

    // GGUF: counts, lengths and dimensions of a header of a few bytes.
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let gguf = |tensors: u64, fields: u64, body: &[u8]| {
        [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &fields.to_le_bytes(), body].concat()
    };
    let list = |kind: u32, length: u64| {
        [text("a"), 9_u32.to_le_bytes().to_vec(), kind.to_le_bytes().to_vec(), length.to_le_bytes().to_vec()].concat()
    };
    let tensor = |dimensions: &[u64]| {
        let shape: Vec<u8> = dimensions.iter().flat_map(|dimension| dimension.to_le_bytes()).collect();
        [text("a"), (dimensions.len() as u32).to_le_bytes().to_vec(), shape, vec![0; 4], vec![0; 8]].concat()
    };
    for (file, message) in [
        (gguf(HUGE, 0, &[]), "1099511627776 tensors"),
        (gguf(0, HUGE, &[]), "1099511627776 metadata fields"),
        (gguf(0, 1, &HUGE.to_le_bytes()), "the file ends inside its header"),
        (gguf(0, 1, &[text("a"), vec![8, 0, 0, 0], HUGE.to_le_bytes().to_vec()].concat()), "the file ends inside its"),
        (gguf(0, 1, &list(0, HUGE)), "a list of 1099511627776 items"),
        (gguf(0, 1, &list(8, 1 << 23)), "the file ends inside its header"),
        (gguf(1, 0, &tensor(&[HUGE, 1 << 20])), "`a` reaches beyond the end of the file"),
        (gguf(1, 0, &tensor(&[1 << 33, 1 << 33])), "`a` reaches beyond the end of the file"),
    ] {
        bench.write("lies.gguf", file);
        refused("lies.gguf", message);
    }
    // A text of a GiB, which a file of holes does have.
    bench
        .write("holes.gguf", gguf(0, 1, &[text("a"), vec![8, 0, 0, 0], (1_u64 << 30).to_le_bytes().to_vec()].concat()));
    bench.grow("holes.gguf", 2 << 30);
    refused("holes.gguf", "the file ends inside its header");
    bench.grow("holes.gguf", HUGE);
    refused("holes.gguf", "could not open the file");

    // Safetensors: the header's length, and shapes.
    let whole = std::fs::read(bench.path("llama-gqa/model.safetensors")).unwrap();
    for length in [HUGE, 1 << 63, 99_000_000] {
        bench.write("llama-gqa/model.safetensors", [&length.to_le_bytes()[..], &whole[8..]].concat());
        bench.grow("llama-gqa/model.safetensors", 200 << 20);
        refused("llama-gqa", "could not read the weights");
    }
    bench.write("llama-gqa/model.safetensors", &whole);

    // JSON: files without an end, lists that take far more memory than their text, ids and paddings by number.
    for (file, message) in [
        ("config.json", "it is larger than 32 MiB"),
        ("tokenizer.json", "it is larger than 128 MiB"),
        ("tokenizer_config.json", "it is larger than 32 MiB"),
    ] {
        let path = format!("llama-gqa/{file}");
        let before = std::fs::read(bench.path(&path)).unwrap();
        bench.grow(&path, HUGE);
        refused("llama-gqa", message);
        std::fs::remove_file(bench.path(&path)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", bench.path(&path)).unwrap();
        // A device is no file, so what may be missing is taken as missing.
        let ran = bench.run("run llama-gqa --ids [1] --max-new-tokens 1");
        assert!(matches!(ran.code, Some(0 | 2)), "{file}: {ran}");
        bench.run("compare --local llama-gqa --prompts prompts --suite count --warmup 0 --repeat 1");
        std::fs::remove_file(bench.path(&path)).unwrap();
        bench.write(&path, before);
    }
    let tokenizer: Value =
        serde_json::from_slice(&std::fs::read(bench.path("llama-gqa/tokenizer.json")).unwrap()).unwrap();
    let mut padded = tokenizer.clone();
    padded["padding"] = json!({
        "strategy": { "Fixed": HUGE }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "<|bos|>",
    });
    bench.write("llama-gqa/tokenizer.json", padded.to_string());
    bench.run("run llama-gqa --prompt hello --max-new-tokens 2").exits(0);
    let mut charsmap = tokenizer.clone();
    charsmap["normalizer"] = json!({ "type": "Precompiled", "precompiled_charsmap": "/////w==" });
    bench.write("llama-gqa/tokenizer.json", charsmap.to_string());
    refused("llama-gqa", "a normalizer `Precompiled` is not supported");
    bench.write("llama-gqa/tokenizer.json", tokenizer.to_string());

    // Configs: layers and widths, each within its bound, of weights that are not there.
    let config = std::fs::read_to_string(bench.path("llama-gqa/config.json")).unwrap();
    let mut largest: Value = serde_json::from_str(&config).unwrap();
    for key in ["hidden_size", "intermediate_size", "vocab_size", "num_attention_heads", "num_key_value_heads"] {
        largest[key] = json!(1 << 20);
    }
    (largest["head_dim"], largest["num_hidden_layers"]) = (json!(1 << 20), json!(1024));
    bench.write("llama-gqa/config.json", largest.to_string());
    refused("llama-gqa", "and the config asks for [1048576, 1048576]");
    let compared = bench.run("compare --local llama-gqa --prompts prompts --suite count --quantization f32").exits(1);
    compared.answers("does not fit");
    largest["num_hidden_layers"] = json!(1_u64 << 50);
    bench.write("llama-gqa/config.json", largest.to_string());
    refused("llama-gqa", "`num_hidden_layers` is 1125899906842624");
    bench.write("llama-gqa/config.json", &config);

    // Prompts: rounds and lengths.
    let suite = |repeat: u64, tokens: u64| {
        format!(
            "description = \"\"\nrepeat = {repeat}\nwarmup = 0\n\
             [[prompt]]\nid = \"a\"\nprompt_tokens = {tokens}\noutput_tokens = {tokens}\n"
        )
    };
    let line = "compare --local llama-gqa --prompts prompts --suite count";
    bench.write("prompts/count.toml", suite(u64::from(u32::MAX), 1));
    bench.run(line).exits(2).says("`repeat` is 4294967295, expected at most 100000");
    bench.write("prompts/count.toml", suite(1, u64::from(u32::MAX)));
    bench.run(line).exits(1).answers("and 1024 is the longest context of the model");
}
