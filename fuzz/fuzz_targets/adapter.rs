//! A LoRA adapter: its config up to the first NUL, and its matrices behind it, merged into a tiny checkpoint.
#![no_main]

use bench::acquire::Weights;
use bench::acquire::adapter::Adapter;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (config, matrices) = bytes.split_at(end);
    bench_fuzz::write("adapter_config.json", config);
    bench_fuzz::write("adapter_model.safetensors", matrices.get(1..).unwrap_or_default());
    let Ok(adapter) = Adapter::open(bench_fuzz::folder()) else { return };
    let file = bench_fuzz::write("model.safetensors", &bench_fuzz::safetensors());
    let mut checkpoint = bench_fuzz::of_files(Weights::Safetensors(vec![file]));
    checkpoint.adapter = Some(adapter);
    let _ = bench_fuzz::run(checkpoint, None);
});
