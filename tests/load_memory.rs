//! Loading takes little more memory than what it loads, counted by the allocator: a binary of its own, because every
//! allocation in it counts.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bench::acquire::local;
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use bench::spec::{Config, DecoderSpec, Inventory, Weight};
use candle_core::{DType, Device, Tensor};
use serde_json::json;

/// The system's allocator, counting the bytes that are in use and the most that ever were.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work, and is given what was asked for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Random weights in bfloat16: 26 MB in matrices of half a megabyte at most.
fn write_checkpoint(directory: &Path) -> Inventory {
    let config = json!({
        "model_type": "llama", "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 12, "vocab_size": 1024,
        "num_attention_heads": 8, "num_key_value_heads": 8, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": false,
    });
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
    let inventory = Inventory::of(&DecoderSpec::from_config(&Config::new(config).unwrap()).unwrap());
    let random = |weight: &Weight| {
        let shape = if weight.rows == 1 { vec![weight.columns] } else { vec![weight.rows, weight.columns] };
        let tensor = Tensor::randn(0f32, 0.02, shape, &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
        (weight.name.clone(), tensor)
    };
    let tensors: HashMap<String, Tensor> = inventory.weights.iter().map(random).collect();
    candle_core::safetensors::save(&tensors, directory.join("model.safetensors")).unwrap();
    inventory
}

/// Threads that load side by side, on every machine.
const THREADS: usize = 2;

#[test]
fn quantizing_while_loading_holds_one_widened_matrix_a_thread_beside_the_loaded_model() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = write_checkpoint(folder.path());
    let largest = inventory.weights.iter().map(Weight::elements).max().unwrap() as usize;
    let room = THREADS * largest * size_of::<f32>();
    let stored = inventory.bytes(Quantization::Bf16) as usize;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().unwrap();
    for quantization in [Quantization::Q5K, Quantization::Q4K, Quantization::Q8_0] {
        let (loaded, peak) = pool.install(|| {
            let checkpoint = local::open(folder.path()).unwrap();
            let before = LIVE.load(Relaxed);
            PEAK.store(before, Relaxed);
            let engine = CandleEngine::load(checkpoint, Some(quantization), &Device::Cpu, &mut |_| {}).unwrap();
            assert!(engine.weights_bytes() < stored as u64);
            (LIVE.load(Relaxed) - before, PEAK.load(Relaxed) - before)
        });
        assert!(peak - loaded < room, "{quantization}: {peak} bytes at the most, {loaded} in the end, {room} allowed");
        // What is loaded in five bits is smaller by far than what is read, and reading it all would show.
        assert!(quantization != Quantization::Q5K || stored > loaded + 2 * room, "{stored} stored, {loaded} loaded");
    }
}
