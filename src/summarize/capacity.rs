//! Capacity: how many chats a GPU holds beside a candidate's weights.

use serde::Serialize;

use super::memory::Memory;
use crate::measure::Ceiling;
use crate::plan::USUAL_CONTEXT;

/// Chats that fit at once beside the weights as they were measured, counted as [`crate::plan`] counts beside those that it
/// estimates: their cache in 16 bits, and all the memory that the card has by `gpus.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Tokens that each holds: as many as a plan assumes, or as the model goes.
    pub context_tokens: u64,
    /// Chats whose caches fit beside the weights at once.
    pub most_chats: u64,
    /// What the weights take: once loaded on the device, where that was measured, else as they are held.
    pub weights_bytes: u64,
}

impl Capacity {
    pub(super) fn of(memory: &Memory, held_bytes: u64, ceiling: &Ceiling) -> Self {
        let weights_bytes = memory.loaded_bytes.unwrap_or(held_bytes);
        let (most_chats, context_tokens) = ceiling.chats(USUAL_CONTEXT, weights_bytes);
        Self { context_tokens, most_chats, weights_bytes }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Layout, Outlook, Shape, Workload};
    use crate::record::Run;
    use crate::spec::shipped_shape;
    use crate::summarize::testing::{llama_8b, run_on_l4, speed_trial};
    use crate::summarize::{Capacity, summarize};

    fn capacity(change: impl FnOnce(&mut Run)) -> Option<Capacity> {
        let mut run = run_on_l4(vec![llama_8b("a", vec![speed_trial("pp128", 128, 500, 80)])]);
        change(&mut run);
        summarize(&run)[0].capacity
    }

    #[test]
    fn as_many_chats_fit_as_a_plan_of_the_same_weights_says() {
        let shape = Shape::new(&shipped_shape("meta-llama/Meta-Llama-3-8B-Instruct").unwrap(), None).unwrap();
        let gpu = crate::hardware::Gpus::shipped().unwrap().find("l4").unwrap().clone();
        let bf16 = Layout::Held(crate::catalog::Quantization::Bf16);
        let plan = Outlook::new("a", &shape, Some(bf16), &gpu, Workload { context: 4096, chats: 1 });
        let held = plan.weights_bytes.unwrap();
        let found = capacity(|run| {
            let load = run.rows[0].load.as_mut().unwrap();
            (load.weights_bytes, load.loaded_bytes) = (Some(held), None);
        });
        let expected = Capacity { context_tokens: 4096, most_chats: plan.most_chats.unwrap(), weights_bytes: held };
        assert_eq!(found, Some(expected));
        // 24.15 GB less 16.06 of weights and 0.09 of working memory; a chat takes 4,096 × 131,072 bytes and its logits.
        assert_eq!(expected.most_chats, 14);
    }

    #[test]
    fn weights_are_as_measured_where_that_is_known() {
        let measured = capacity(|_| {}).unwrap();
        assert_eq!(measured.weights_bytes, 17 << 29, "8.5 GiB above the baseline");
        assert!(measured.most_chats > 20, "{measured:?}");
    }

    #[test]
    fn on_a_cpu_nothing_is_said() {
        assert_eq!(capacity(|run| run.environment.device = "cpu".into()), None);
    }
}
