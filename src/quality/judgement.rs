//! Judgement: all that is said of an answer.

use serde::{Deserialize, Serialize};

use super::check;
use super::exchange::Exchange;
use super::gate::Gate;
use super::verdict::Verdict;
use crate::suite::{Body, Check, CheckKind, Prompt};

/// Version of the rules of gates and checks: it goes up with every change by which some answer is judged otherwise.
pub const RULES: u32 = 2;

/// All that is said of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Of an answer that is due in a language.
    pub gates: Vec<(Gate, Verdict)>,
    /// In the order of the prompt's checks.
    pub checks: Vec<(CheckKind, Verdict)>,
}

impl Judgement {
    /// Of an answer to a prompt; `cut` where a limit ended it. `None` of prompts of token ids, whose answers say nothing.
    pub fn of(prompt: &Prompt, answer: &str, cut: bool) -> Option<Self> {
        let Body::Text { system, text } = &prompt.body else { return None };
        let labels = prompt.expected.checks.iter().filter_map(|check| match check {
            Check::Label { labels, .. } => Some(labels.iter().flatten().cloned()),
            _ => None,
        });
        let exchange = Exchange::new(text, prompt.expected.language, answer)
            .system(system)
            .copies_prompt(prompt.expected.copies_prompt)
            .cut(cut)
            .labels(labels.flatten());
        let gates = match exchange.language {
            Some(_) => Gate::ALL.into_iter().map(|gate| (gate, gate.judge(&exchange))).collect(),
            None => Vec::new(),
        };
        let checks =
            prompt.expected.checks.iter().map(|check| (check.kind(), check::judge(check, &exchange))).collect();
        Some(Self { gates, checks })
    }

    /// Whether no gate is broken.
    pub fn is_faithful(&self) -> bool {
        !self.gates.iter().any(|(_, verdict)| verdict.is_fail())
    }

    /// Whether neither a gate nor a check is broken.
    pub fn passes(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Each gate and check by its name, with its verdict.
    pub fn verdicts(&self) -> Vec<(&'static str, &Verdict)> {
        let gates = self.gates.iter().map(|(gate, verdict)| (gate.name(), verdict));
        gates.chain(self.checks.iter().map(|(kind, verdict)| (kind.name(), verdict))).collect()
    }

    /// What is broken: its name, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &Verdict)> {
        self.verdicts().into_iter().filter(|(_, verdict)| verdict.is_fail())
    }
}
