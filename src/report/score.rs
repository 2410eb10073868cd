//! How likely texts are under a checkpoint.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Page, Table};
use crate::quality::{Divergence, Likelihood, Parity};
use crate::suite::Language;
use crate::units::UNKNOWN;

/// Texts that a checkpoint scored.
#[derive(Debug, Serialize)]
pub struct ScoredTexts {
    /// The types of the weights.
    pub precision: String,
    #[serde(flatten)]
    pub likelihoods: Likelihoods,
    /// What becomes of the first token of a text.
    pub first_token: FirstToken,
    /// A text longer than so many tokens is taken in windows of so many,
    pub window: usize,
    /// each beginning so many after the one before: a token is scored once, in the first window that holds it.
    pub stride: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_token: Option<Vec<ScoredToken>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// Whether there is anything before a text that its first token could be predicted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstToken {
    /// A token of the tokenizer's own stands before each text: all of the text is scored.
    Added,
    /// Nothing does: the first token, or all that make the first character, are not scored, and their bytes not counted.
    NotScored,
}

/// How likely texts are, together and each.
#[derive(Debug, Serialize)]
pub struct Likelihoods {
    /// Of all texts, pooled.
    #[serde(flatten)]
    pub overall: Likelihood,
    pub texts: Vec<Named>,
    /// Pooled, by the language of the line that a token stands in.
    pub languages: BTreeMap<Language, Likelihood>,
    /// Where both languages are there.
    pub parity: Option<Parity>,
}

/// A text's likelihood.
#[derive(Debug, Serialize)]
pub struct Named {
    pub name: String,
    #[serde(flatten)]
    pub likelihood: Likelihood,
}

/// A token of a text.
#[derive(Debug, Serialize)]
pub struct ScoredToken {
    pub id: u32,
    /// The first token of a text has no context, and so no probability.
    pub log_prob: Option<f64>,
}

/// The same texts under the other checkpoint or precision.
#[derive(Debug, Serialize)]
pub struct Against {
    pub checkpoint: String,
    pub precision: String,
    #[serde(flatten)]
    pub likelihoods: Likelihoods,
    /// By the language of the line that a token stands in.
    pub divergence: BTreeMap<Language, Divergence>,
    pub overall: Option<Divergence>,
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(scored: &ScoredTexts) -> Result<String, ReportError> {
    super::json::line("the likelihoods", scored)
}

/// The figures of each text and language, and how far another precision is from them.
pub fn page(scored: &ScoredTexts) -> Page {
    let ScoredTexts { precision, likelihoods, first_token, window, stride, per_token, against } = scored;
    let first = match first_token {
        FirstToken::Added => "A text begins behind the token that the tokenizer adds, so all of it is scored.",
        FirstToken::NotScored => "The tokenizer adds no token before a text, so its first token is not scored.",
    };
    let how = format!("A long text is taken in windows of {window} tokens, one every {stride}. {first}");
    let mut blocks = vec![Block::Heading(precision.clone()), Block::Table(table(likelihoods))];
    blocks.extend(likelihoods.parity.as_ref().map(parity));
    blocks.push(Block::Paragraph(how));
    blocks.extend(per_token.as_ref().map(|tokens| Block::Table(tokens_table(tokens))));
    if let Some(against) = against {
        let Against { checkpoint, precision, likelihoods, .. } = against;
        blocks.push(Block::Heading(format!("against {checkpoint} ({precision})")));
        blocks.push(Block::Table(table(likelihoods)));
        blocks.extend(likelihoods.parity.as_ref().map(parity));
        blocks.push(Block::Table(divergences(against)));
    }
    Page::new(blocks)
}

fn table(likelihoods: &Likelihoods) -> Table {
    let Likelihoods { overall, texts, languages, .. } = likelihoods;
    let mut rows: Vec<(&str, &Likelihood)> = Vec::new();
    if texts.len() > 1 {
        rows.extend(texts.iter().map(|text| (text.name.as_str(), &text.likelihood)));
    }
    rows.extend(languages.iter().map(|(language, likelihood)| (language.name(), likelihood)));
    if languages.len() != 1 {
        rows.push(("all", overall));
    }
    let column = |heading: &str, cell: &dyn Fn(&Likelihood) -> String| {
        Column::new(heading, Align::Right, rows.iter().map(|(_, likelihood)| cell(likelihood)))
    };
    let count = |count: Option<usize>| count.map_or(UNKNOWN.to_owned(), |count| count.to_string());
    Table {
        names: vec![Column::new("text", Align::Left, rows.iter().map(|(name, _)| (*name).to_owned()))],
        columns: vec![
            column("tokens", &|of| of.tokens.to_string()),
            column("scored", &|of| of.scored.to_string()),
            column("bytes", &|of| count(of.extent.map(|extent| extent.bytes))),
            column("characters", &|of| count(of.extent.map(|extent| extent.characters))),
            column("NLL\nnats", &|of| format!("{:.4}", of.nll_nats)),
            column("bits/byte", &|of| figure(of.bits_per_byte())),
            column("bits/char", &|of| figure(of.bits_per_character())),
            column("perplexity", &|of| figure(of.perplexity())),
        ],
    }
}

fn figure(number: Option<f64>) -> String {
    number.map_or(UNKNOWN.to_owned(), |number| format!("{number:.4}"))
}

/// `Korean ÷ English: 1.23 in bits per byte, …`
fn parity(parity: &Parity) -> Block {
    let Parity { bits_per_byte, bits_per_character, bits, tokens } = parity;
    let figure = |number: Option<f64>| number.map_or(UNKNOWN.to_owned(), |number| format!("{number:.2}"));
    let mut text = format!(
        "Korean ÷ English: {} in bits per byte, {} in bits per character",
        figure(*bits_per_byte),
        figure(*bits_per_character)
    );
    if let (Some(bits), Some(tokens)) = (bits, tokens) {
        text.push_str(&format!("; for the same content, {bits:.2} in bits and {tokens:.2} in tokens"));
    }
    Block::Paragraph(text + ".")
}

fn tokens_table(tokens: &[ScoredToken]) -> Table {
    Table {
        names: vec![Column::new("position", Align::Right, (0..tokens.len()).map(|position| position.to_string()))],
        columns: vec![
            Column::new("token", Align::Right, tokens.iter().map(|token| token.id.to_string())),
            Column::new(
                "log-probability",
                Align::Right,
                tokens
                    .iter()
                    .map(|token| token.log_prob.map_or(UNKNOWN.to_owned(), |log_prob| format!("{log_prob:.6}"))),
            ),
        ],
    }
}

fn divergences(against: &Against) -> Table {
    let by_language = against.divergence.iter().map(|(language, divergence)| (language.name(), divergence));
    let rows: Vec<(&str, &Divergence)> =
        by_language.chain(against.overall.iter().map(|divergence| ("all", divergence))).collect();
    let column = |heading: &str, cell: &dyn Fn(&Divergence) -> String| {
        Column::new(heading, Align::Right, rows.iter().map(|(_, divergence)| cell(divergence)))
    };
    Table {
        names: vec![Column::new("text", Align::Left, rows.iter().map(|(name, _)| (*name).to_owned()))],
        columns: vec![
            column("positions", &|of| of.positions.to_string()),
            column("KL divergence\nmean, nats", &|of| format!("{:.6}", of.mean_kl_nats)),
            column("99.9th\npercentile", &|of| format!("{:.4}", of.p999_kl_nats)),
            column("same token\non top", &|of| format!("{:.2} %", 100.0 * of.same_top_share)),
        ],
    }
}
