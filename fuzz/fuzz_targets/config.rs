//! `config.json`: the spec, the inventory and its sizes, and an answer of random weights of that shape if it is small.
#![no_main]

use bench::acquire::Weights;
use bench::catalog::Quantization;
use bench::plan::estimate;
use bench::spec::{Config, DecoderSpec, Inventory};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    let Ok(config) = Config::new(value) else { return };
    let _ = config.token_ids("eos_token_id");
    let Ok(spec) = DecoderSpec::from_config(&config) else { return };
    let inventory = Inventory::of(&spec);
    let weights = inventory.bytes(Quantization::Q4K);
    let _ = estimate(&spec, weights, 4, &[], 1 << 30).missing_bytes();
    let mut checkpoint = bench_fuzz::of_files(Weights::Synthetic { seed: 1 });
    checkpoint.config = config;
    let _ = bench_fuzz::run(checkpoint, Some(Quantization::Q4K));
});
