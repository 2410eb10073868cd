//! The ceiling: the most that the GPU of a run allows a candidate, and how near its trials came.

use crate::hardware::{GpuSpec, Gpus};
use crate::plan::{Demand, ForwardWork, Layout, Resource, Roofline, SERVED_CACHE_BYTES, Shape, most_chats};
use crate::record::{Environment, Row, Trial};

/// What a known GPU can do at most of the work of a known shape, by `gpus.toml` and the counts of [`ForwardWork`].
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling {
    shape: Shape,
    work: ForwardWork,
    roofline: Roofline,
    /// Bytes of a number in the engine's cache.
    cache_number_bytes: u64,
    usable_bytes: u64,
}

impl Ceiling {
    /// Of a row that was loaded. `None` on a CPU, whose peaks nobody states, on a GPU that is not in `gpus.toml`, and for runs
    /// stored before the config was kept.
    pub fn of(row: &Row, environment: &Environment) -> Option<Self> {
        let gpus = Gpus::shipped().ok()?;
        let gpu = made_on(environment, &gpus)?;
        let load = row.load.as_ref()?;
        let shape = Shape::new(load.config.as_ref()?, load.weights_bytes).ok()?;
        let layout = row.candidate.quantization.map(Layout::Held);
        Some(Self {
            work: shape.work(layout),
            roofline: shape.roofline(layout, gpu),
            cache_number_bytes: shape.cache_number_bytes(load.kv_bytes_per_token?),
            usable_bytes: gpu.memory_bytes(),
            shape,
        })
    }

    /// What decoding at this rate took of the memory's bandwidth: (weights that a token reads, of experts those that it passes,
    /// and the cache at the mean context of the decode) × tokens per second. `None` for a prompt of unknown length.
    pub(super) fn of_decode(&self, trial: &Trial, tokens_per_second: f64) -> Option<Demand> {
        let bytes = self.work.step_bytes(mean_context(trial)? as u64, self.cache_number_bytes);
        Some(self.roofline.demand(Resource::Bandwidth, bytes * tokens_per_second))
    }

    /// What a prefill in so many seconds took of the peak operations: those of [`ForwardWork::prefill_operations`] ÷ seconds.
    /// The peak is that of the fastest units that hold the weights ([`GpuSpec::peak_operations`]), whichever the engine used.
    pub(super) fn of_prefill(&self, trial: &Trial, seconds: f64) -> Option<Demand> {
        let operations = self.work.prefill_operations(trial.prompt_tokens?.into());
        Some(self.roofline.demand(Resource::Operations, operations / seconds))
    }

    /// So large a share of something that the GPU has.
    pub fn share_of(&self, resource: Resource, share: f64) -> Demand {
        self.roofline.demand(resource, share * self.roofline.peak(resource))
    }

    /// Most chats of so many tokens each, or as long as the model goes, that fit beside weights of so many bytes, and how
    /// long they are. By the plan's count: their cache in 16 bits, as serving engines hold it.
    pub fn chats(&self, context: u64, weights_bytes: u64) -> (u64, u64) {
        let spec = &self.shape.spec;
        let context = context.min(spec.max_positions as u64);
        (most_chats(spec, weights_bytes, context, SERVED_CACHE_BYTES, self.usable_bytes), context)
    }
}

/// The kind of GPU that a run was made on. `None` on a CPU, and where it is not known.
pub fn made_on<'a>(environment: &Environment, gpus: &'a Gpus) -> Option<&'a GpuSpec> {
    gpus.find(&environment.device_name).filter(|_| environment.device != "cpu")
}

/// Tokens that the cache held on average while the answer was decoded: the n − 1 steps after the first token find P + 1 to
/// P + n − 1 of them, themselves included. `None` for a prompt of unknown length.
pub fn mean_context(trial: &Trial) -> Option<f64> {
    Some(f64::from(trial.prompt_tokens?) + trial.timeline.tokens()? as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::measure::Measurement;
    use crate::record::Run;
    use crate::spec::{Config, shipped_shape};
    use crate::summarize::testing::{llama_8b, run, run_on_l4, speed_trial};

    fn shares(run: &Run) -> (Option<f64>, Option<f64>) {
        let row = &run.rows[0];
        let ceiling = Ceiling::of(row, &run.environment);
        let measured = Measurement::under(&row.trials[0], ceiling.as_ref());
        (measured.mfu_share, measured.mbu_share)
    }

    fn close(actual: Option<f64>, expected: f64) {
        assert!(actual.is_some_and(|actual| (actual / expected - 1.0).abs() < 1e-9), "{actual:?}, expected {expected}");
    }

    /// 512 tokens in half a second, and 64 more of them 80 ms apart.
    fn llama() -> Run {
        run_on_l4(vec![llama_8b("a", vec![speed_trial("pp512+tg64", 512, 500, 80)])])
    }

    #[test]
    fn shares_are_what_is_read_and_computed_against_the_data_sheet() {
        let (mfu, mbu) = shares(&llama());
        // Of 8,030,261,248 weights a token reads all but the table of 128,256 rows of 4,096, and one row of that; all but the
        // 65 norms in 16 bits. The cache is 2 × 8 × 128 numbers of 32 bits in each of 32 layers, of 512 + 32 tokens.
        let (table, norms) = (128_256.0 * 4096.0, 65.0 * 4096.0);
        let weights = 2.0 * (8_030_261_248.0 - table - norms + 4096.0) + 4.0 * norms;
        let cache = 544.0 * 32.0 * 2.0 * 8.0 * 128.0 * 4.0;
        close(mbu, (weights + cache) * 12.5 / 300e9);
        // Of each token two operations a weight but for table and head, of the last one the head; and of each pair of
        // tokens four for each of 4,096 numbers in each of 32 layers. An L4 does 121 × 10¹² with 16 bits.
        let body = 8_030_261_248.0 - 2.0 * table;
        let operations = 2.0 * (512.0 * body + table) + 512.0 * 513.0 / 2.0 * 4.0 * 4096.0 * 32.0;
        close(mfu, operations / 0.5 / 121e12);
        assert!((mbu.unwrap() - 0.631).abs() < 0.001 && (mfu.unwrap() - 0.120).abs() < 0.001, "{mbu:?} {mfu:?}");
    }

    #[test]
    fn a_published_rate_of_an_l4_has_the_published_share() {
        // Qwen3-8B in bf16 with CUDA graphs: 15.9 tokens a second, published as 80 to 87 % of the bandwidth.
        let config = json!({
            "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12_288, "vocab_size": 151_936,
            "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "max_position_embeddings": 40_960, "tie_word_embeddings": false,
        });
        let mut trial = speed_trial("tg64", 128, 500, 0);
        trial.timeline.arrivals_ns = (0..64).map(|token| 500_000_000 + token * 1_000_000_000 * 10 / 159).collect();
        let mut run = run_on_l4(vec![llama_8b("a", vec![trial])]);
        run.rows[0].load.as_mut().unwrap().config = Some(Config::new(config).unwrap());
        let (_, mbu) = shares(&run);
        assert!(mbu.is_some_and(|mbu| (0.80..0.87).contains(&mbu)), "{mbu:?}");
    }

    #[test]
    fn experts_that_a_token_does_not_pass_are_not_read_by_it() {
        let mut run = llama();
        let load = run.rows[0].load.as_mut().unwrap();
        load.config = shipped_shape("deepseek-ai/DeepSeek-V2-Lite-Chat");
        // 15.7 × 10⁹ weights in 16 bits are 31 GB; at 12.5 tokens a second all of them were 393 GB/s.
        let (_, mbu) = shares(&run);
        assert!(mbu.is_some_and(|mbu| mbu < 0.3), "{mbu:?}");
    }

    #[test]
    fn where_nothing_is_known_of_the_device_nothing_is_guessed() {
        let on_a_cpu = run(llama().rows);
        assert_eq!(shares(&on_a_cpu), (None, None));
        let mut unknown = llama();
        unknown.environment.device_name = "NVIDIA L40".into();
        assert_eq!(shares(&unknown), (None, None));
        let mut old = llama();
        old.rows[0].load.as_mut().unwrap().config = None;
        assert_eq!(shares(&old), (None, None));
        assert_eq!(Measurement::of(&llama().rows[0].trials[0]).mbu_share, None);
    }

    #[test]
    fn a_share_is_defined_where_its_time_is() {
        let mut one_token = llama();
        one_token.rows[0].trials[0].timeline.arrivals_ns.truncate(1);
        assert!(matches!(shares(&one_token), (Some(_), None)));
        let mut over_http = llama();
        over_http.rows[0].trials[0].timeline.prefilled_ns = None;
        assert!(matches!(shares(&over_http), (None, Some(_))));
        let mut unknown_prompt = llama();
        unknown_prompt.rows[0].trials[0].prompt_tokens = None;
        assert_eq!(shares(&unknown_prompt), (None, None));
    }

    #[test]
    fn weights_as_they_are_stored_are_those_that_were_held() {
        let mut run = llama();
        run.rows[0].candidate.quantization = None;
        let (mfu, mbu) = shares(&run);
        let (stated_mfu, stated_mbu) = shares(&llama());
        assert_eq!(mfu, stated_mfu);
        assert!((mbu.unwrap() / stated_mbu.unwrap() - 1.0).abs() < 1e-3, "{mbu:?}");
    }
}
