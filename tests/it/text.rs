//! Chat templates and tokenizers against transformers.

use std::collections::BTreeMap;

use bench::acquire::gguf::{GgufFile, text_model};
use bench::acquire::local;
use bench::text::{ChatTemplate, Message, TEMPLATE_DATE, TextModel};
use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::support::fixture;

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    messages: Vec<serde_json::Value>,
    add_generation_prompt: bool,
    bos_token: Option<String>,
    eos_token: Option<String>,
    rendered: Option<String>,
    error: Option<String>,
}

#[test]
fn templates_render_as_transformers_renders_them() {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(fixture("chat/templates.json")).unwrap()).unwrap();
    assert!(cases.len() >= 12);
    let mut wrong = Vec::new();
    for case in cases {
        let tokens = [("bos_token", case.bos_token), ("eos_token", case.eos_token)];
        let tokens: BTreeMap<String, String> =
            tokens.into_iter().filter_map(|(name, token)| Some((name.to_owned(), token?))).collect();
        let rendered = ChatTemplate::new(&case.template, tokens, TEMPLATE_DATE)
            .and_then(|template| template.render(&case.messages, case.add_generation_prompt));
        match (rendered, &case.rendered, &case.error) {
            (Ok(rendered), Some(expected), _) if &rendered == expected => {}
            (Err(error), None, Some(expected)) if error.to_string().contains(expected) => {}
            (other, ..) => {
                wrong.push(format!("{}: {other:?}\nexpected {:?} {:?}", case.name, case.rendered, case.error))
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[derive(Deserialize)]
struct Reference {
    encode: Vec<Encoding>,
    chat: Vec<Chat>,
}

#[derive(Deserialize)]
struct Encoding {
    text: String,
    add_special_tokens: bool,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    add_generation_prompt: bool,
    ids: Vec<u32>,
}

#[test]
fn conversations_become_the_same_tokens_as_in_transformers() {
    for (checkpoint, path) in [
        ("llama-gqa", "checkpoints/llama-gqa"),
        ("mistral-window", "checkpoints/mistral-window"),
        ("qwen2-tied", "checkpoints/qwen2-tied"),
        ("llama-gqa", "gguf/llama-gqa.f32.gguf"),
        ("qwen2-tied", "gguf/qwen2-tied.f32.gguf"),
        ("llama-sentencepiece", "checkpoints/llama-sentencepiece"),
        ("llama-sentencepiece", "gguf/llama-sentencepiece.f32.gguf"),
    ] {
        let file = fixture("checkpoints").join(checkpoint).join("reference.json");
        let reference: Reference = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let text = local::open(&fixture(path)).unwrap().text.unwrap().unwrap();
        for case in reference.encode.iter().filter(|case| case.add_special_tokens) {
            assert_eq!(text.encode(&case.text).unwrap(), case.ids, "{path}: {}", case.text);
        }
        let asked: Vec<&Chat> = reference.chat.iter().filter(|chat| chat.add_generation_prompt).collect();
        assert!(!asked.is_empty());
        for chat in asked {
            assert_eq!(text.encode_chat(&chat.messages, &|| false).unwrap(), chat.ids, "{path}: {:?}", chat.messages);
        }
    }
}

/// Tokenizers and templates as they are published: `tests/fixtures/tokenizer_references.py` tells how to run this.
#[test]
#[ignore = "needs real tokenizers: BENCH_TOKENIZERS, a folder with a directory for each"]
fn real_tokenizers_make_the_same_tokens_as_in_transformers() {
    let folder = std::env::var_os("BENCH_TOKENIZERS").expect("BENCH_TOKENIZERS names a folder with the tokenizers");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let directory = entry.unwrap().path();
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
        let reference: Reference = serde_json::from_slice(&read("reference.json")).unwrap();
        let settings: serde_json::Value = serde_json::from_slice(&read("tokenizer_config.json")).unwrap();
        let tokenizer = Tokenizer::from_bytes(read("tokenizer.json")).unwrap();
        let mut models = vec![TextModel::new(tokenizer, &settings, None, []).unwrap()];
        let converted = directory.join("tokenizer.gguf");
        if converted.exists() {
            models.extend(text_model(&GgufFile::open(&converted).unwrap()).unwrap());
        }
        for text in models {
            for case in &reference.encode {
                assert_eq!(text.encode(&case.text).unwrap(), case.ids, "{directory:?}: {:?}", case.text);
            }
            assert_eq!(text.has_chat_template(), !reference.chat.is_empty(), "{directory:?}");
            for chat in &reference.chat {
                assert_eq!(
                    text.encode_chat(&chat.messages, &|| false).unwrap(),
                    chat.ids,
                    "{directory:?}: {:?}",
                    chat.messages
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 0, "there is nothing to compare");
}

#[test]
fn beginning_of_sequence_is_never_doubled() {
    let text = local::open(&fixture("checkpoints/llama-gqa")).unwrap().text.unwrap().unwrap();
    let with = text.encode("<|bos|>hello").unwrap();
    assert_eq!(with, text.encode("hello").unwrap());
    assert_eq!(with.iter().filter(|id| **id == with[0]).count(), 1);
}

#[test]
fn streamed_text_never_splits_a_syllable_and_loses_nothing() {
    use bench::text::TextStream;
    let text = local::open(&fixture("checkpoints/llama-gqa")).unwrap().text.unwrap().unwrap();
    let original = "안녕하세요, 세계! 서울의 봄은 🌸 짧다. naïve café";
    let ids = text.encode(original).unwrap();
    let mut stream = TextStream::new(&text.tokenizer);
    let mut pieces: Vec<String> = ids.iter().filter_map(|id| stream.push(*id)).collect();
    pieces.extend(stream.flush());
    assert!(pieces.len() > 10 && pieces.iter().all(|piece| !piece.contains('\u{FFFD}')), "{pieces:?}");
    assert_eq!(pieces.concat(), original);

    // Cut in the middle of a syllable: the unfinished one shows as U+FFFD, nothing vanishes silently.
    let cut = text.encode("가힣").unwrap();
    let mut stream = TextStream::new(&text.tokenizer);
    let mut pieces: Vec<String> = cut[..cut.len() - 1].iter().filter_map(|id| stream.push(*id)).collect();
    pieces.extend(stream.flush());
    assert!(pieces.concat().ends_with('\u{FFFD}'), "{pieces:?}");
}
