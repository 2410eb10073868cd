//! `model.safetensors` of a tiny checkpoint, through loading to an answer.
#![no_main]

use bench::acquire::Weights;
use bench::catalog::Quantization;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = bench_fuzz::write("model.safetensors", bytes);
    for quantization in [None, Some(Quantization::Q8_0)] {
        let _ = bench_fuzz::run(bench_fuzz::of_files(Weights::Safetensors(vec![file.clone()])), quantization);
    }
});
