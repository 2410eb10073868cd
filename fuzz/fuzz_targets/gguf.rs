//! A GGUF file: header, config, tokenizer, weights, answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bench_fuzz::open_and_run(&bench_fuzz::write("model.gguf", bytes));
});
