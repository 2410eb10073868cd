//! A chat template, compiled and rendered.
#![no_main]

use std::collections::BTreeMap;

use bench::text::{ChatTemplate, Message, TEMPLATE_DATE};

libfuzzer_sys::fuzz_target!(|source: &str| {
    let tokens =
        BTreeMap::from([("bos_token".to_owned(), "<s>".to_owned()), ("eos_token".to_owned(), "</s>".to_owned())]);
    let Ok(template) = ChatTemplate::new(source, tokens, TEMPLATE_DATE) else { return };
    let messages = [Message::system("친절하게."), Message::user("Hello <b> 'you'\n")];
    let _ = template.render(&messages, true);
    let _ = template.render(&messages[1..], false);
});
