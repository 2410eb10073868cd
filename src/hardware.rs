//! Hardware: `gpus.toml`, what GPUs have and can do at most.

#![warn(missing_docs)]

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::toml_error::{TomlError, nearest};

/// The GPUs that ship with the program.
const SHIPPED: &str = include_str!("../gpus.toml");

/// A kind of GPU: a row of `gpus.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuSpec {
    /// By which the user names it.
    pub id: String,
    /// What the driver calls it, by which a run's device is recognised.
    pub names: Vec<String>,
    /// Device memory as the driver reports it, in MiB.
    pub memory_mib: u64,
    /// Peak of the device memory, in 10⁹ bytes a second.
    pub bandwidth_gb_s: f64,
    /// Limit of the power that it draws, in watts.
    pub power_w: Option<f64>,
    /// What it computes.
    pub tflops: Tflops,
    /// Where bandwidth, operations and power are from, and of when.
    pub source: Option<String>,
    /// The date of that source.
    pub date: Option<String>,
    /// What renting one costs, where that was looked up.
    pub price: Option<Price>,
}

/// Peak operations, in 10¹² a second, dense; `None` where the card has no such units, or it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tflops {
    /// On 32-bit floats.
    pub fp32: f64,
    /// On 32-bit floats of which the units keep 19 bits.
    pub tf32: Option<f64>,
    /// On 16-bit floats.
    pub fp16: Option<f64>,
    /// On 16-bit floats with the exponent of 32-bit ones.
    pub bf16: Option<f64>,
    /// On 8-bit floats.
    pub fp8: Option<f64>,
    /// On 8-bit integers.
    pub int8: Option<f64>,
}

/// What an hour of a rented GPU costs, by a source of a date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// In US dollars.
    pub usd_per_hour: f64,
    /// Of which machine, where and on which terms.
    pub of: String,
    /// Where the price is stated.
    pub source: String,
    /// When it was.
    pub date: String,
}

impl GpuSpec {
    /// Memory that programs can have, in bytes: all that the driver reports.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib.saturating_mul(1 << 20)
    }

    /// Peak of the device memory, in bytes a second.
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth_gb_s * 1e9
    }

    /// Most operations a second of matrix products with weights of so many bits: on the fastest units that the card has
    /// for numbers as wide as the weights or wider. Narrower weights are widened for the product, to no less than 8 bits.
    pub fn peak_operations(&self, weight_bits: f64) -> f64 {
        let Tflops { fp32, tf32, fp16, bf16, fp8, int8 } = self.tflops;
        let wide = [Some(fp32), tf32].into_iter();
        let half = [fp16, bf16].into_iter().filter(|_| weight_bits <= 16.0);
        let narrow = [fp8, int8].into_iter().filter(|_| weight_bits < 16.0);
        wide.chain(half).chain(narrow).flatten().fold(0.0, f64::max) * 1e12
    }
}

/// The kinds of GPU that are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpus {
    /// In the order of the file.
    pub rows: Vec<GpuSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "gpu")]
    gpus: Vec<Spanned<GpuSpec>>,
}

impl Gpus {
    /// Those that ship with the program.
    ///
    /// # Errors
    /// None that a test would let ship.
    pub fn shipped() -> Result<Self, TomlError> {
        Ok(Self { rows: parse(Path::new("gpus.toml"), SHIPPED)? })
    }

    /// These and those in the text of `file`, which go before these where the id is the same.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn with(mut self, file: &Path, text: &str) -> Result<Self, TomlError> {
        let own = parse(file, text)?;
        self.rows.retain(|row| own.iter().all(|other| other.id != row.id));
        self.rows.extend(own);
        Ok(self)
    }

    /// The kind with this id, or which the driver calls so; neither depends on case.
    pub fn find(&self, word: &str) -> Option<&GpuSpec> {
        let is = |name: &str| name.eq_ignore_ascii_case(word.trim());
        self.rows.iter().find(|row| is(&row.id) || row.names.iter().any(|name| is(name)))
    }

    /// What to do about a word that no GPU is known by: the nearest id, else all of them.
    pub fn hint(&self, word: &str) -> String {
        let ids = || self.rows.iter().map(|row| row.id.as_str());
        match nearest(word, ids()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the GPUs are {}; --gpus FILE adds others", ids().collect::<Vec<_>>().join(", ")),
        }
    }
}

fn parse(file: &Path, text: &str) -> Result<Vec<GpuSpec>, TomlError> {
    let parsed: File = toml::from_str(text).map_err(|error| TomlError::parse(file, text, &error))?;
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for row in parsed.gpus {
        let span = row.span();
        let row = row.into_inner();
        let refuse = |message| TomlError::at(file, text, span.clone(), message);
        if row.id.is_empty() || row.id == "this" || row.id.contains(char::is_whitespace) {
            return Err(refuse(format!("`{}` cannot be the id of a GPU", row.id)));
        }
        if !seen.insert(row.id.clone()) {
            return Err(refuse(format!("the GPU `{}` is there twice", row.id)));
        }
        if let Some((key, number)) = numbers(&row).into_iter().find(|(_, number)| !is_usable(*number)) {
            return Err(refuse(format!("`{key}` of `{}` cannot be {number}", row.id)));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn numbers(row: &GpuSpec) -> Vec<(&'static str, f64)> {
    let Tflops { fp32, tf32, fp16, bf16, fp8, int8 } = row.tflops;
    let stated = [
        ("memory_mib", Some(row.memory_mib as f64)),
        ("bandwidth_gb_s", Some(row.bandwidth_gb_s)),
        ("power_w", row.power_w),
        ("fp32", Some(fp32)),
        ("tf32", tf32),
        ("fp16", fp16),
        ("bf16", bf16),
        ("fp8", fp8),
        ("int8", int8),
        ("usd_per_hour", row.price.as_ref().map(|price| price.usd_per_hour)),
    ];
    stated.into_iter().filter_map(|(key, number)| Some((key, number?))).collect()
}

/// Over 0, and not so large that sums of it overflow.
fn is_usable(number: f64) -> bool {
    number > 0.0 && number < 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        let error = Gpus::shipped().unwrap().with(Path::new("own.toml"), text).unwrap_err();
        format!("{error}{}", error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default())
    }

    #[test]
    fn every_shipped_row_states_its_source_and_date() {
        let gpus = Gpus::shipped().unwrap();
        for id in ["l4", "a10g", "l40s", "a100-80", "h100", "h200", "rtx-4090"] {
            assert!(gpus.find(id).is_some(), "{id}");
        }
        let mut names = HashSet::new();
        for row in &gpus.rows {
            assert!(row.source.as_ref().is_some_and(|source| source.starts_with("https://")), "{}", row.id);
            assert!(row.date.is_some() && !row.names.is_empty() && row.power_w.is_some(), "{}", row.id);
            assert!(row.names.iter().all(|name| names.insert(name.clone())), "{}", row.id);
        }
    }

    #[test]
    fn a_gpu_is_found_by_its_id_or_by_the_drivers_name() {
        let gpus = Gpus::shipped().unwrap();
        assert_eq!(gpus.find("L4"), gpus.find("NVIDIA L4"));
        assert_eq!(gpus.find("l4").map(GpuSpec::memory_bytes), Some(23_034 << 20));
        // Part of a name is no name: an L4 is no L40S.
        assert_eq!(gpus.find("NVIDIA L40"), None);
        assert_eq!(gpus.hint("h20"), "did you mean `h200`?");
    }

    #[test]
    fn operations_are_those_of_the_fastest_units_that_hold_the_weights() {
        let gpus = Gpus::shipped().unwrap();
        let peak = |id: &str, bits| gpus.find(id).unwrap().peak_operations(bits);
        assert_eq!([peak("l4", 32.0), peak("l4", 16.0), peak("l4", 4.5)], [60e12, 121e12, 242.5e12]);
        // A T4 has neither TF32 nor BF16.
        assert_eq!([peak("t4", 32.0), peak("t4", 16.0), peak("t4", 8.5)], [8.1e12, 65e12, 130e12]);
    }

    #[test]
    fn own_rows_are_added_or_go_before_the_shipped_ones() {
        let own = "[[gpu]]\nid = \"l4\"\nnames = [\"ours\"]\nmemory_mib = 1_000\nbandwidth_gb_s = 290\n\
                   tflops = { fp32 = 30 }\n";
        let gpus = Gpus::shipped().unwrap().with(Path::new("own.toml"), own).unwrap();
        assert_eq!(gpus.find("l4").map(|gpu| gpu.bandwidth_gb_s), Some(290.0));
        assert_eq!(gpus.rows.iter().filter(|row| row.id == "l4").count(), 1);
        assert_eq!(gpus.rows.len(), Gpus::shipped().unwrap().rows.len());
    }

    #[test]
    fn a_mistake_names_its_place() {
        let row = "[[gpu]]\nid = \"x\"\nnames = []\nmemory_mib = 1\nbandwidth_gb_s = 0\ntflops = { fp32 = 1 }\n";
        assert_eq!(mistake(row), "own.toml:1:1: `bandwidth_gb_s` of `x` cannot be 0");
        assert_eq!(mistake(&row.replace("= 0\n", "= nan\n")), "own.toml:1:1: `bandwidth_gb_s` of `x` cannot be NaN");
        let good = row.replace("= 0\n", "= 1\n");
        assert!(mistake(&good.repeat(2)).ends_with("the GPU `x` is there twice"));
        assert!(mistake(&good.replace("\"x\"", "\"this\"")).contains("cannot be the id"));
        assert!(mistake(&good.replace("memory_mib", "memory_mb")).ends_with("(did you mean `memory_mib`?)"));
    }
}
