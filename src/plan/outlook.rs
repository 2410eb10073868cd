//! The outlook of a candidate on a GPU: what it needs, whether it fits, how fast it can be, and how well that is known.

use serde::Serialize;

use super::fit::most;
use super::{ForwardWork, Layout, Need, Roofline, StepTime, Transfer, Windows, Workload, fit, most_chats};
use crate::catalog::Quantization;
use crate::hardware::GpuSpec;
use crate::spec::{Config, DecoderSpec, Inventory, SpecError};

/// Bytes of a number in the cache as serving engines hold it by default: 16 bits.
pub const SERVED_CACHE_BYTES: u64 = 2;

/// What is known of a candidate before its weights are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What is computed.
    pub spec: DecoderSpec,
    /// The weights that it has.
    pub inventory: Inventory,
    /// Bytes of the weights as they are stored; `None` where only the config tells.
    pub stored_bytes: Option<u64>,
}

impl Shape {
    /// # Errors
    /// A config that the decoder does not do.
    pub fn new(config: &Config, stored_bytes: Option<u64>) -> Result<Self, SpecError> {
        let spec = DecoderSpec::from_config(config)?;
        let inventory = Inventory::of(&spec);
        Ok(Self { spec, inventory, stored_bytes })
    }

    /// The work of a pass with weights in a layout; as they are stored for `None`, which is 16 bits where nothing tells.
    pub fn work(&self, layout: Option<Layout>) -> ForwardWork {
        let held = layout.unwrap_or(Layout::Held(Quantization::Bf16));
        let work = ForwardWork::of(&self.spec, &self.inventory, held);
        match (layout, self.stored_bytes) {
            (None, Some(bytes)) => work.stored_in(bytes),
            _ => work,
        }
    }

    /// What a GPU can do with weights in a layout.
    pub fn roofline(&self, layout: Option<Layout>, gpu: &GpuSpec) -> Roofline {
        Roofline::of(gpu, self.bits(layout))
    }

    /// Bytes of a number in a cache that takes so many bytes a token.
    pub fn cache_number_bytes(&self, bytes_per_token: u64) -> u64 {
        bytes_per_token / self.spec.cache_numbers_per_token().max(1)
    }

    /// Bits of a weight in a layout, by which the units that multiply it are chosen.
    pub fn bits(&self, layout: Option<Layout>) -> f64 {
        match (layout, self.stored_bytes) {
            (Some(layout), _) => layout.bits(),
            // Whole ones: norms may be in float32 beside 16-bit matrices, or not be counted.
            (None, Some(bytes)) => (bytes as f64 * 8.0 / self.inventory.parameters().max(1) as f64).round(),
            (None, None) => 16.0,
        }
    }
}

/// What a run on the same kind of GPU measured of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The run's id.
    pub run: String,
    /// Median of the time per output token.
    pub seconds_per_token: f64,
    /// Tokens that the chat held on average meanwhile.
    pub context: u64,
    /// Bytes of a token in that engine's cache.
    pub cache_bytes_per_token: u64,
    /// Peak of the device memory while it ran, and what had been estimated for that run.
    pub memory_bytes: Option<u64>,
    /// What had been estimated for that run.
    pub estimated_memory_bytes: Option<u64>,
}

impl Measured {
    /// The point that the time per token is fitted to.
    pub fn step_time(&self, shape: &Shape, layout: Option<Layout>) -> StepTime {
        let number_bytes = shape.cache_number_bytes(self.cache_bytes_per_token);
        StepTime { bytes: shape.work(layout).step_bytes(self.context, number_bytes), seconds: self.seconds_per_token }
    }
}

/// A candidate in a layout on a GPU: a row of the plan. Every figure but the measured ones is an estimate; see
/// `docs/planning.md` for the formulas. `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outlook {
    /// Its id, or what the user named.
    pub candidate: String,
    /// The layout of its weights.
    pub quantization: String,
    /// Its weights in that layout.
    pub weights_bytes: Option<u64>,
    /// Key and value cache of all chats at the context.
    pub kv_cache_bytes: Option<u64>,
    /// What it works on at once.
    pub activation_bytes: Option<u64>,
    /// The three together.
    pub total_bytes: Option<u64>,
    /// What the card has.
    pub usable_bytes: Option<u64>,
    /// What is left of it; negative where that much is missing.
    pub spare_bytes: Option<i64>,
    /// Whether nothing is missing.
    pub fits: Option<bool>,
    /// Tokens that each chat holds: those asked for, or the model's own limit.
    pub context_tokens: Option<u64>,
    /// Chats at once.
    pub concurrency: Option<u64>,
    /// Longest context that fits with as many chats, up to the model's own limit.
    pub longest_context_tokens: Option<u64>,
    /// Most chats that fit at the context.
    pub most_chats: Option<u64>,
    /// Bytes that a decode step of one chat reads at least: weights, and the cache at the context.
    pub step_bytes: Option<u64>,
    /// Of each chat. Nothing can be faster than `high`; a tuned engine is seldom slower than `low`. Speeds are `None` where
    /// it does not fit.
    pub decode_tokens_per_second_low: Option<f64>,
    /// The faster end of that range.
    pub decode_tokens_per_second_high: Option<f64>,
    /// Of a prompt that fills the context.
    pub ttft_seconds_low: Option<f64>,
    /// The longer end of that range.
    pub ttft_seconds_high: Option<f64>,
    /// By a measured run: time per token = fixed + bytes ÷ bandwidth.
    pub fitted_decode_tokens_per_second: Option<f64>,
    /// The run on the same kind of GPU that the measured figures are of.
    pub measured_run: Option<String>,
    /// The median that it measured.
    pub measured_decode_tokens_per_second: Option<f64>,
    /// What the roofline says of the work that was measured, at its context.
    pub estimated_decode_tokens_per_second_low: Option<f64>,
    /// The faster end of that range.
    pub estimated_decode_tokens_per_second_high: Option<f64>,
    /// (The middle of that range, by ratio, ÷ measured) − 1.
    pub decode_error: Option<f64>,
    /// The peak that it measured.
    pub measured_memory_bytes: Option<u64>,
    /// (Estimated ÷ measured) − 1, of the memory of that run.
    pub memory_error: Option<f64>,
    /// Why nothing is known of it.
    pub reason: Option<String>,
}

impl Outlook {
    /// A row of which nothing could be found out.
    pub fn unknown(candidate: &str, quantization: &str, reason: String) -> Self {
        let (candidate, quantization) = (candidate.to_owned(), quantization.to_owned());
        Self { candidate, quantization, reason: Some(reason), ..Self::default() }
    }

    /// What a shape in a layout (as stored for `None`) needs and can do on a GPU.
    pub fn new(candidate: &str, shape: &Shape, layout: Option<Layout>, gpu: &GpuSpec, workload: Workload) -> Self {
        let work = shape.work(layout);
        let usable = gpu.memory_bytes();
        let need = |context, chats| {
            let need = Need { context, chats, cache_number_bytes: SERVED_CACHE_BYTES, windows: Windows::Bounded };
            fit(&shape.spec, work.weights_bytes, need, usable)
        };
        let fits = |context, chats| need(context, chats).missing_bytes().is_none();
        let context = workload.context.clamp(1, shape.spec.max_positions as u64);
        let estimate = need(context, workload.chats);
        let fit = estimate.missing_bytes().is_none();
        let roofline = shape.roofline(layout, gpu);
        let workload = Workload { context, ..workload };
        let decode = fit.then(|| roofline.decode_rate(&work, workload, SERVED_CACHE_BYTES));
        let ttft = fit.then(|| roofline.ttft(&work, context));
        let total = estimate.total_bytes();
        Self {
            candidate: candidate.to_owned(),
            quantization: layout.map_or("stored", Layout::name).to_owned(),
            weights_bytes: Some(estimate.weights_bytes),
            kv_cache_bytes: Some(estimate.kv_cache_bytes),
            activation_bytes: Some(estimate.activation_bytes),
            total_bytes: Some(total),
            usable_bytes: Some(usable),
            spare_bytes: Some(usable.cast_signed().saturating_sub_unsigned(total)),
            fits: Some(fit),
            context_tokens: Some(context),
            concurrency: Some(workload.chats),
            longest_context_tokens: Some(most(shape.spec.max_positions as u64, |n| fits(n, workload.chats))),
            most_chats: Some(most_chats(&shape.spec, work.weights_bytes, context, SERVED_CACHE_BYTES, usable)),
            step_bytes: Some(work.step_bytes(context, SERVED_CACHE_BYTES) as u64),
            decode_tokens_per_second_low: decode.map(|range| range.low),
            decode_tokens_per_second_high: decode.map(|range| range.high),
            ttft_seconds_low: ttft.map(|range| range.low),
            ttft_seconds_high: ttft.map(|range| range.high),
            ..Self::default()
        }
    }

    /// With what a run on the same kind of GPU measured, and how far the estimate was from it.
    pub fn with_measured(mut self, measured: &Measured, shape: &Shape, layout: Option<Layout>, gpu: &GpuSpec) -> Self {
        let at = Workload { context: measured.context, chats: 1 };
        let number_bytes = shape.cache_number_bytes(measured.cache_bytes_per_token);
        let range = shape.roofline(layout, gpu).decode_rate(&shape.work(layout), at, number_bytes);
        let rate = 1.0 / measured.seconds_per_token;
        self.measured_run = Some(measured.run.clone());
        self.measured_decode_tokens_per_second = Some(rate);
        self.estimated_decode_tokens_per_second_low = Some(range.low);
        self.estimated_decode_tokens_per_second_high = Some(range.high);
        self.decode_error = Some(range.error(rate));
        self.measured_memory_bytes = measured.memory_bytes;
        self.memory_error = match (measured.estimated_memory_bytes, measured.memory_bytes) {
            (Some(estimated), Some(bytes)) if bytes > 0 => Some(estimated as f64 / bytes as f64 - 1.0),
            _ => None,
        };
        self
    }

    /// With the rate that the fit of a run gives it: of one chat alone, at the context.
    pub fn with_fit(mut self, transfer: &Transfer, shape: &Shape, layout: Option<Layout>) -> Self {
        let (work, context) = (shape.work(layout), self.context_tokens.unwrap_or(1));
        if self.fits == Some(true) && self.concurrency == Some(1) {
            let bytes = work.step_bytes(context, transfer.cache_number_bytes);
            self.fitted_decode_tokens_per_second = Some(transfer.carried.rate(bytes));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Gpus;
    use crate::plan::TimeFit;
    use crate::spec::shipped_shape;

    fn shape(repository: &str) -> Shape {
        Shape::new(&shipped_shape(repository).unwrap(), None).unwrap()
    }

    fn l4() -> GpuSpec {
        Gpus::shipped().unwrap().find("l4").unwrap().clone()
    }

    const BF16: Option<Layout> = Some(Layout::Held(Quantization::Bf16));

    fn on_l4(repository: &str, layout: Option<Layout>, context: u64, chats: u64) -> Outlook {
        Outlook::new("a", &shape(repository), layout, &l4(), Workload { context, chats })
    }

    #[test]
    fn the_longest_context_fits_and_one_token_more_does_not() {
        let repository = "mistralai/Mistral-7B-Instruct-v0.3";
        let longest = on_l4(repository, BF16, 4096, 4).longest_context_tokens.unwrap();
        assert!((4096..32768).contains(&longest), "{longest}");
        assert_eq!(on_l4(repository, BF16, longest, 4).fits, Some(true));
        assert_eq!(on_l4(repository, BF16, longest + 1, 4).fits, Some(false));
    }

    #[test]
    fn as_many_chats_as_it_says_fit_and_one_more_does_not() {
        let repository = "meta-llama/Meta-Llama-3-8B-Instruct";
        let most = on_l4(repository, BF16, 2048, 1).most_chats.unwrap();
        assert_eq!(on_l4(repository, BF16, 2048, most).fits, Some(true));
        let beyond = on_l4(repository, BF16, 2048, most + 1);
        assert_eq!((beyond.fits, beyond.decode_tokens_per_second_high), (Some(false), None));
        assert!(beyond.spare_bytes.unwrap() < 0);
    }

    #[test]
    fn a_model_that_is_too_large_fits_in_no_context() {
        let large = on_l4("deepseek-ai/DeepSeek-V2-Chat", Some(Layout::Nf4), 4096, 1);
        assert_eq!((large.fits, large.longest_context_tokens, large.most_chats), (Some(false), Some(0), Some(0)));
        assert_eq!(large.spare_bytes.unwrap(), (23_034_i64 << 20) - large.total_bytes.unwrap().cast_signed());
    }

    #[test]
    fn no_context_is_longer_than_the_models_own() {
        let polyglot = on_l4("beomi/KoAlpaca-Polyglot-12.8B", Some(Layout::Nf4), 100_000, 1);
        assert_eq!(polyglot.context_tokens, Some(2048));
        assert_eq!(polyglot.longest_context_tokens, Some(2048));
    }

    #[test]
    fn norms_in_float32_leave_16_bit_weights_to_the_16_bit_units() {
        let config = shipped_shape("kfkas/Llama-2-ko-7b-Chat").unwrap();
        let inventory = Inventory::of(&DecoderSpec::from_config(&config).unwrap());
        let ttft = |stored| {
            let shape = Shape::new(&config, Some(stored)).unwrap();
            Outlook::new("a", &shape, None, &l4(), Workload { context: 2048, chats: 1 }).ttft_seconds_low.unwrap()
        };
        let (bytes, with_norms) = (2 * inventory.parameters(), inventory.bytes(Quantization::F16));
        assert_eq!(with_norms - bytes, 2 * 65 * 4096);
        assert!((ttft(with_norms) / ttft(bytes) - 1.0).abs() < 1e-3, "{} s", ttft(with_norms));
    }

    #[test]
    fn the_error_of_the_estimate_is_that_of_the_middle_of_its_range() {
        let (shape, gpu) = (shape("Qwen/Qwen2.5-7B-Instruct"), l4());
        let outlook = || Outlook::new("a", &shape, BF16, &gpu, Workload { context: 160, chats: 1 });
        let range = outlook();
        let (low, high) = (range.decode_tokens_per_second_low.unwrap(), range.decode_tokens_per_second_high.unwrap());
        let error = |rate: f64| {
            let measured = Measured {
                run: "r".into(),
                seconds_per_token: 1.0 / rate,
                context: 160,
                cache_bytes_per_token: 2 * shape.spec.cache_numbers_per_token(),
                memory_bytes: Some(100),
                estimated_memory_bytes: Some(90),
            };
            let with = outlook().with_measured(&measured, &shape, BF16, &gpu);
            assert!((with.memory_error.unwrap() + 0.1).abs() < 1e-9);
            with.decode_error.unwrap()
        };
        let middle = (low * high).sqrt();
        assert!(error(middle).abs() < 1e-9 && (error(middle / 2.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_fit_gives_every_candidate_a_rate() {
        let (shape, gpu) = (shape("Qwen/Qwen2.5-7B-Instruct"), l4());
        let outlook = Outlook::new("a", &shape, BF16, &gpu, Workload { context: 1000, chats: 1 });
        let fit = TimeFit {
            fixed_seconds: 0.001,
            bytes_per_second: 200e9,
            points: 3,
            rms_error: 0.0,
            worst_left_out_error: None,
        };
        let bytes = outlook.step_bytes.unwrap() as f64;
        let transfer =
            Transfer { run: "r".into(), made_on: "l4".into(), measured: fit, carried: fit, cache_number_bytes: 2 };
        let rate = outlook.with_fit(&transfer, &shape, BF16).fitted_decode_tokens_per_second.unwrap();
        assert!((rate * (0.001 + bytes / 200e9) - 1.0).abs() < 1e-9, "{rate}");
    }
}
