//! Variants: one candidate, several times, set otherwise in one thing.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::quantization::Quantization;
use crate::toml_error::nearest;

/// What variants of a candidate differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Quantization,
    Context,
    KvCache,
    Attention,
    Adapter,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Quantization, Self::Context, Self::KvCache, Self::Attention, Self::Adapter];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quantization => "quantization",
            Self::Context => "context",
            Self::KvCache => "kv-cache",
            Self::Attention => "attention",
            Self::Adapter => "adapter",
        }
    }

    /// What a value of it looks like.
    fn values(self) -> &'static str {
        match self {
            Self::Quantization => "a precision such as q4_k, or `stored`",
            Self::Context => "a number of tokens over 0",
            Self::KvCache => "`on` or `off`",
            Self::Attention => "`plain` or `blocked`",
            Self::Adapter => "the directory of an adapter, or `none`",
        }
    }
}

/// One value of what variants differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "axis", content = "value")]
pub enum Variant {
    /// Precision of the weights; `None` as they are stored. A GGUF file is quantized again for it.
    Quantization(Option<Quantization>),
    /// Tokens that prompt and answer may have together, whose cache is reserved beforehand as engines that serve do. A longer
    /// prompt is refused and an answer ends where the context is full. Not more than the model's own.
    Context(u32),
    /// Whether keys and values are kept from token to token, or computed again for each.
    KvCache(Switch),
    /// How attention is computed.
    Attention(Attention),
    /// A LoRA adapter's directory; `None` for the model without any.
    Adapter(Option<PathBuf>),
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    On,
    Off,
}

/// Ways to compute attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// All scores of a pass, their softmax, and the sum of values, one after another.
    Plain,
    /// Block by block with a running softmax, so that no scores are stored: the engine's usual way.
    Blocked,
}

impl Variant {
    /// Which one it is a value of.
    pub fn axis(&self) -> Axis {
        match self {
            Self::Quantization(_) => Axis::Quantization,
            Self::Context(_) => Axis::Context,
            Self::KvCache(_) => Axis::KvCache,
            Self::Attention(_) => Axis::Attention,
            Self::Adapter(_) => Axis::Adapter,
        }
    }

    fn parse(axis: Axis, value: &str) -> Option<Self> {
        Some(match (axis, value) {
            (Axis::Quantization, "stored") => Self::Quantization(None),
            (Axis::Quantization, name) => Self::Quantization(Some(Quantization::from_str(name, true).ok()?)),
            (Axis::Context, tokens) => Self::Context(tokens.parse().ok().filter(|tokens| *tokens > 0)?),
            (Axis::KvCache, "on") => Self::KvCache(Switch::On),
            (Axis::KvCache, "off") => Self::KvCache(Switch::Off),
            (Axis::Attention, "plain") => Self::Attention(Attention::Plain),
            (Axis::Attention, "blocked") => Self::Attention(Attention::Blocked),
            (Axis::Adapter, "none") => Self::Adapter(None),
            (Axis::Adapter, "") | (Axis::KvCache | Axis::Attention, _) => return None,
            (Axis::Adapter, directory) => Self::Adapter(Some(directory.into())),
        })
    }
}

/// The value alone: `q4_k`, `1200`.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantization(Some(quantization)) => quantization.fmt(f),
            Self::Quantization(None) => f.pad("stored"),
            Self::Context(tokens) => tokens.fmt(f),
            Self::KvCache(Switch::On) => f.pad("on"),
            Self::KvCache(Switch::Off) => f.pad("off"),
            Self::Attention(Attention::Plain) => f.pad("plain"),
            Self::Attention(Attention::Blocked) => f.pad("blocked"),
            Self::Adapter(Some(directory)) => f.pad(&directory.to_string_lossy()),
            Self::Adapter(None) => f.pad("none"),
        }
    }
}

/// Variants of one candidate along one axis, two at least and each another; the first is what the others are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants(Vec<Variant>);

impl Variants {
    /// Reads `AXIS=VALUE,VALUE…`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, values) = text.split_once('=').ok_or("expected AXIS=VALUE,VALUE, as quantization=q8_0,q4_k")?;
        let Some(axis) = Axis::ALL.into_iter().find(|axis| axis.name() == name.trim()) else {
            let near = nearest(name, Axis::ALL.into_iter().map(Axis::name));
            let known = Axis::ALL.map(Axis::name).join(", ");
            let hint = near.map_or(format!("they are {known}"), |near| format!("did you mean `{near}`?"));
            return Err(format!("nothing called `{name}` can be varied: {hint}"));
        };
        let mut variants: Vec<Variant> = Vec::new();
        for value in values.split(',').map(str::trim) {
            let variant = Variant::parse(axis, value)
                .ok_or_else(|| format!("`{value}` is no value of {name}: expected {}", axis.values()))?;
            if variants.contains(&variant) {
                return Err(format!("`{value}` is there twice"));
            }
            variants.push(variant);
        }
        if variants.len() < 2 {
            return Err("expected two values at least: the first is what the others are compared with".into());
        }
        Ok(Self(variants))
    }

    /// Which one all are values of.
    pub fn axis(&self) -> Axis {
        self.0.first().map_or(Axis::Quantization, Variant::axis)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Variant> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Candidate, Source};

    fn rows(text: &str) -> Result<Vec<String>, String> {
        let candidate = Candidate {
            id: "a".into(),
            source: Source::Local { path: "m".into() },
            quantization: Some(Quantization::Q8_0),
            adapter: Some("lora".into()),
            variant: None,
            licence: None,
            notes: None,
            prompt_format: None,
        };
        Ok(Variants::parse(text)?.iter().map(|variant| candidate.varied(variant).row()).collect())
    }

    #[test]
    fn each_variant_is_a_row_that_says_what_it_is() {
        assert_eq!(rows("quantization=stored,q4_k, bf16").unwrap(), ["a quantization=stored", "a q4_k", "a bf16"]);
        assert_eq!(rows("context=5000,1200").unwrap(), ["a q8_0 context=5000", "a q8_0 context=1200"]);
        assert_eq!(rows("kv-cache=on,off").unwrap(), ["a q8_0 kv-cache=on", "a q8_0 kv-cache=off"]);
        assert_eq!(rows("attention=plain,blocked").unwrap(), ["a q8_0 attention=plain", "a q8_0 attention=blocked"]);
        assert_eq!(rows("adapter=none,./x").unwrap(), ["a q8_0 adapter=none", "a q8_0 adapter=./x"]);
    }

    #[test]
    fn what_is_no_variant_says_what_one_would_be() {
        for (text, part) in [
            ("quantization", "expected AXIS=VALUE,VALUE"),
            ("contxt=1,2", "did you mean `context`?"),
            ("colour=red,blue", "they are quantization, context, kv-cache, attention, adapter"),
            ("quantization=q4_k,q9", "`q9` is no value of quantization: expected a precision such as q4_k"),
            ("quantization=q4_k,q4_k", "`q4_k` is there twice"),
            ("context=1200,01200", "`01200` is there twice"),
            ("context=0,5", "`0` is no value of context"),
            ("context=5", "two values at least"),
            ("kv-cache=on,maybe", "expected `on` or `off`"),
            ("adapter=none,", "`` is no value of adapter"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_variant_is_stored_with_its_axis_and_comes_back() {
        for text in
            ["quantization=stored,q4_k", "context=5,6", "kv-cache=on,off", "attention=plain,blocked", "adapter=none,x"]
        {
            for variant in Variants::parse(text).unwrap().0 {
                let stored = serde_json::to_value(&variant).unwrap();
                assert_eq!(stored["axis"], variant.axis().name());
                assert_eq!(serde_json::from_value::<Variant>(stored).unwrap(), variant);
            }
        }
    }
}
