//! `tokenizer.json`: encoding and decoding of texts in both languages.
#![no_main]

use bench::text::{TextModel, TextStream, read_tokenizer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice(bytes) else { return };
    let Ok(tokenizer) = read_tokenizer(document) else { return };
    let Ok(text) = TextModel::new(tokenizer, &serde_json::json!({}), None, []) else { return };
    for prompt in ["", "Hello, world! 123  naïve", "안녕하세요 <|eot|>\n세계 🌸", " a b  ab "] {
        if let Ok(ids) = text.encode(prompt) {
            let mut stream = TextStream::new(&text.tokenizer);
            ids.iter().for_each(|id| drop(stream.push(*id)));
            stream.flush();
        }
        let _ = text.encode_in_place(prompt);
    }
    let _ = text.tokenizer.decode(&[0, 1, 2, 3, u32::MAX], true);
});
