//! The roofline: how fast a forward pass can be at most, and how slow a tuned engine is at worst.
//!
//! A pass takes at least as long as reading its bytes at the memory's peak bandwidth, and as doing its operations at peak
//! (Williams, Waterman and Patterson 2009, <https://doi.org/10.1145/1498765.1498785>). No engine can be faster. How much
//! slower one is, is a matter of experience: see the constants.

use serde::Serialize;

use super::work::ForwardWork;
use super::{Demand, Resource};
use crate::hardware::GpuSpec;

/// Time of a decode step that does not depend on its bytes, in the slow case: launching its kernels, sampling.
///
/// With [`BANDWIDTH_SHARE`] it was chosen so that tuned engines are faster in all published figures that the tests hold; of a
/// 4-bit 9B model at 197 tokens/s on an H200 (llama.cpp) it is the larger part of each token.
pub const FIXED_SECONDS: f64 = 0.004;

/// Share of the peak bandwidth that tuned engines reach beside [`FIXED_SECONDS`], in the slow case.
pub const BANDWIDTH_SHARE: f64 = 0.6;

/// Share of the peak operations, in the slow case. An assumption: no published prefill was compared with it.
pub const OPERATIONS_SHARE: f64 = 0.25;

/// What a device can do at most, each second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// Bytes of its memory.
    pub bandwidth: f64,
    /// Operations on numbers as wide as the weights.
    pub operations: f64,
}

/// A figure by its two ends, the smaller one first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The smaller end.
    pub low: f64,
    /// The greater end.
    pub high: f64,
}

impl Range {
    /// Its middle by ratio: as many times the low end as the high end is of it.
    pub fn middle(self) -> f64 {
        (self.low * self.high).sqrt()
    }

    /// (Middle ÷ value) − 1: positive where the estimate is too high.
    pub fn error(self, value: f64) -> f64 {
        self.middle() / value - 1.0
    }
}

/// Tokens of a chat where nobody says how many.
pub const USUAL_CONTEXT: u64 = 4096;

/// What is asked of the device at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Tokens that each chat holds; a prompt is as long.
    pub context: u64,
    /// Chats that decode together.
    pub chats: u64,
}

impl Roofline {
    /// Of a GPU with weights of so many bits.
    pub fn of(gpu: &GpuSpec, weight_bits: f64) -> Self {
        Self { bandwidth: gpu.bandwidth(), operations: gpu.peak_operations(weight_bits) }
    }

    /// What doing so much of something each second takes of the device.
    pub fn demand(self, resource: Resource, needed_per_second: f64) -> Demand {
        Demand { resource, needed_per_second, peak_per_second: self.peak(resource) }
    }

    /// The most of something each second.
    pub fn peak(self, resource: Resource) -> f64 {
        match resource {
            Resource::Bandwidth => self.bandwidth,
            Resource::Operations => self.operations,
        }
    }

    /// Seconds of a pass: at best, and in the slow case.
    fn seconds(self, least_bytes: f64, most_bytes: f64, operations: f64) -> Range {
        let low = (least_bytes / self.bandwidth).max(operations / self.operations);
        let slow = most_bytes / (self.bandwidth * BANDWIDTH_SHARE);
        let high = FIXED_SECONDS + slow.max(operations / (self.operations * OPERATIONS_SHARE));
        Range { low, high }
    }

    /// Tokens a second of each chat, when all of the workload's chats are at its context. All together make as many
    /// times more as there are chats.
    pub fn decode_rate(self, work: &ForwardWork, workload: Workload, cache_number_bytes: u64) -> Range {
        let chats = workload.chats as f64;
        let cache = chats * work.cache_bytes(workload.context, cache_number_bytes);
        let (least, most) = (work.least_weights_bytes() + cache, work.most_weights_bytes(workload.chats) + cache);
        let Range { low, high } = self.seconds(least, most, chats * work.decode_operations());
        Range { low: 1.0 / high, high: 1.0 / low }
    }

    /// Seconds to the first token of a prompt that fills the context, of one chat alone.
    pub fn ttft(self, work: &ForwardWork, context: u64) -> Range {
        let (least, most) = (work.least_weights_bytes(), work.most_weights_bytes(context));
        self.seconds(least, most, work.prefill_operations(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Quantization;
    use crate::hardware::Gpus;
    use crate::plan::Layout;
    use crate::spec::{DecoderSpec, Inventory, shipped_shape};

    fn work(repository: &str, layout: Layout) -> ForwardWork {
        let spec = DecoderSpec::from_config(&shipped_shape(repository).unwrap()).unwrap();
        ForwardWork::of(&spec, &Inventory::of(&spec), layout)
    }

    const QWEN: &str = "Qwen/Qwen2.5-7B-Instruct";
    const LLAMA: &str = "meta-llama/Meta-Llama-3-8B-Instruct";
    const GEMMA: &str = "google/gemma-2-9b-it";
    const ALONE: Workload = Workload { context: 256, chats: 1 };

    #[test]
    fn decode_is_bound_by_bytes_and_prefill_by_operations() {
        let l4 = Gpus::shipped().unwrap().find("l4").unwrap().clone();
        let roofline = Roofline::of(&l4, 16.0);
        let work = work(LLAMA, Layout::Held(Quantization::Bf16));
        let rate = roofline.decode_rate(&work, ALONE, 2);
        // (8.03e9 - 128256 × 4096) × 2 bytes and 256 positions × 131,072 bytes, at 300 GB/s.
        let bytes = work.least_weights_bytes() + 256.0 * 131_072.0;
        assert!((rate.high - 300e9 / bytes).abs() < 1e-9, "{rate:?}");
        assert!((rate.low - 1.0 / (0.004 + bytes / 180e9)).abs() < 1e-9, "{rate:?}");
        let ttft = roofline.ttft(&work, 4096);
        assert!((ttft.low - work.prefill_operations(4096) / 121e12).abs() < 1e-12, "{ttft:?}");
        assert!((ttft.high - 0.004 - 4.0 * ttft.low).abs() < 1e-9, "{ttft:?}");
    }

    #[test]
    fn more_chats_are_slower_each_and_faster_together() {
        let roofline = Roofline { bandwidth: 300e9, operations: 121e12 };
        for repository in [QWEN, "deepseek-ai/DeepSeek-V2-Lite-Chat"] {
            let work = work(repository, Layout::Nf4);
            let of = |chats| roofline.decode_rate(&work, Workload { context: 1024, chats }, 2);
            let (one, eight) = (of(1), of(8));
            assert!(eight.high < one.high && eight.low < one.low, "{repository}");
            assert!(8.0 * eight.high > one.high && 8.0 * eight.low > one.low, "{repository}");
        }
    }

    /// Decode rates at batch 1 that others published for tuned engines: all lie in the range.
    #[test]
    fn published_rates_lie_in_the_range() {
        // GPTQ leaves the head in 16 bits, as NF4 does, and its 4-bit weights in groups of 128 take 6 % less.
        let (bf16, q4, gptq) = (Layout::Held(Quantization::Bf16), Layout::Held(Quantization::Q4K), Layout::Nf4);
        for (what, bandwidth, repository, layout, published) in [
            ("RTX 4000 Ada, llama.cpp, F16", 360e9, LLAMA, bf16, 20.9),
            ("RTX 4000 Ada, llama.cpp, Q4_K_M", 360e9, LLAMA, q4, 58.6),
            ("A100-80, vLLM, bf16", 2039e9, QWEN, bf16, 84.0),
            ("A100-80, vLLM, GPTQ int4", 2039e9, QWEN, gptq, 154.0),
            ("H200, llama.cpp, 9B Q4_K_M", 4800e9, GEMMA, q4, 197.0),
        ] {
            let range = Roofline { bandwidth, operations: 1e18 }.decode_rate(&work(repository, layout), ALONE, 2);
            let error = range.error(published) * 100.0;
            println!("{what}: {published} in {:.1} – {:.1}, the middle {error:+.0} %", range.low, range.high);
            assert!((range.low..range.high).contains(&published), "{what}: {published} is not in {range:?}");
        }
    }

    #[test]
    fn the_error_of_a_range_is_that_of_its_middle() {
        let range = Range { low: 5.0, high: 20.0 };
        assert_eq!([range.error(10.0), range.error(8.0), range.error(20.0)], [0.0, 0.25, -0.5]);
    }
}
