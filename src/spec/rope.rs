//! Rotary position embeddings: which part of a head turns, and at what frequencies.
//!
//! Formulas are those of `transformers.modeling_rope_utils`; the frequencies are computed here, in double precision, so
//! that the decoder only multiplies.

use std::f64::consts::PI;

use serde_json::{Map, Value};

use super::config::{Config, in_range, invalid, shown};
use super::error::SpecError;

/// A rotary embedding of the first `dims` numbers of each head.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Numbers of a head that turn, an even number; the rest stay as they are.
    pub dims: usize,
    /// Neighbours are paired (`x_2i` with `x_2i+1`) instead of halves (`x_i` with `x_i+dims/2`).
    pub interleaved: bool,
    /// Angle per position of each pair, for sequences that [`Self::long`] does not take.
    pub frequencies: Vec<f64>,
    /// Longrope: other frequencies, for sequences that are longer than so many tokens.
    pub long: Option<(usize, Vec<f64>)>,
    /// Cosines and sines are multiplied by this.
    pub factor: f64,
}

/// What the scaling adds to the softmax scale of attention itself (DeepSeek's yarn with `mscale_all_dim`).
pub(super) const NO_SOFTMAX_FACTOR: f64 = 1.0;

/// The rotary keys of a config, of either dialect: `rope_theta` beside `rope_scaling`, or both in `rope_parameters`.
pub(super) struct RopeKeys<'a> {
    theta: Option<&'a Value>,
    scaling: Option<&'a Map<String, Value>>,
    key: &'static str,
}

impl<'a> RopeKeys<'a> {
    /// `layer_type` chooses among `rope_parameters` that are given by layer type.
    pub(super) fn of(config: &'a Config, layer_type: &str) -> Result<Self, SpecError> {
        if let Some(parameters) = config.get("rope_parameters") {
            let map = parameters.get(layer_type).unwrap_or(parameters).as_object();
            let map = map.ok_or_else(|| invalid("rope_parameters", parameters, "an object"))?;
            // transformers 5 puts the older dialect's base into parameters that state none.
            let theta = map.get("rope_theta").filter(|value| !value.is_null()).or_else(|| config.get("rope_theta"));
            return Ok(Self { theta, scaling: Some(map), key: "rope_parameters" });
        }
        let scaling = config.get("rope_scaling");
        let map = scaling.map(|value| value.as_object().ok_or_else(|| invalid("rope_scaling", value, "an object")));
        Ok(Self { theta: config.get("rope_theta"), scaling: map.transpose()?, key: "rope_scaling" })
    }

    /// The same base without any scaling, for layers that a config exempts from it.
    pub(super) fn unscaled(theta: &'a Value) -> Self {
        Self { theta: Some(theta), scaling: None, key: "rope_scaling" }
    }

    /// The part of each head that turns, where the keys of the newer dialect state it.
    pub(super) fn share(&self) -> Result<Option<f64>, SpecError> {
        self.number("partial_rotary_factor")
    }

    fn number(&self, name: &str) -> Result<Option<f64>, SpecError> {
        let Some(value) = self.scaling.and_then(|map| map.get(name)).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let number = value.as_f64().filter(|number| in_range(*number));
        number.map(Some).ok_or_else(|| invalid(&format!("{}.{name}", self.key), value, "a positive number"))
    }

    /// A number of which 0 counts as absent, as it does for transformers where these are given.
    fn nonzero(&self, name: &str) -> Result<Option<f64>, SpecError> {
        let zero = self.scaling.and_then(|map| map.get(name)).is_some_and(|value| value.as_f64() == Some(0.0));
        if zero { Ok(None) } else { self.number(name) }
    }

    fn required(&self, name: &str) -> Result<f64, SpecError> {
        self.number(name)?.ok_or_else(|| SpecError::Missing { key: format!("{}.{name}", self.key) })
    }

    /// Context that the model was first trained with.
    fn original(&self, config: &Config) -> Result<f64, SpecError> {
        match self.number("original_max_position_embeddings")? {
            Some(original) => Ok(original),
            None => Ok(config.count("max_position_embeddings")? as f64),
        }
    }

    fn list(&self, name: &str, length: usize) -> Result<Vec<f64>, SpecError> {
        let key = format!("{}.{name}", self.key);
        let value =
            self.scaling.and_then(|map| map.get(name)).ok_or_else(|| SpecError::Missing { key: key.clone() })?;
        let numbers: Option<Vec<f64>> = value
            .as_array()
            .and_then(|list| list.iter().map(|item| item.as_f64().filter(|number| in_range(*number))).collect());
        let numbers = numbers.filter(|numbers| numbers.len() == length);
        numbers.ok_or_else(|| SpecError::Invalid {
            key,
            found: "another list".into(),
            expected: format!("{length} positive numbers"),
        })
    }
}

/// The rotary embedding of `dims` numbers, and the factor on attention's softmax scale that comes with it.
///
/// `default_theta` is the base where the config states none.
///
/// # Errors
/// A scaling that is not known, or one whose numbers are missing or unusable.
pub(super) fn rope(
    config: &Config,
    keys: &RopeKeys,
    dims: usize,
    default_theta: f64,
    interleaved: bool,
) -> Result<(RopeSpec, f64), SpecError> {
    let theta = match keys.theta.filter(|value| !value.is_null()) {
        None => default_theta,
        Some(value) => value
            .as_f64()
            .filter(|theta| in_range(*theta))
            .ok_or_else(|| invalid("rope_theta", value, "a positive number"))?,
    };
    let plain: Vec<f64> = (0..dims / 2).map(|i| theta.powf(-2.0 * i as f64 / dims as f64)).collect();
    let mut spec = RopeSpec { dims, interleaved, frequencies: plain.clone(), long: None, factor: 1.0 };
    let mut softmax_factor = NO_SOFTMAX_FACTOR;

    let kind = keys.scaling.and_then(|map| map.get("rope_type").or_else(|| map.get("type")));
    match kind.map(|kind| kind.as_str().unwrap_or("?")).unwrap_or("default") {
        "default" => {}
        "linear" => {
            let factor = keys.required("factor")?;
            spec.frequencies.iter_mut().for_each(|frequency| *frequency /= factor);
        }
        "llama3" => llama3(config, keys, &mut spec.frequencies)?,
        // As GGUF files carry any scaling of this kind.
        "divisors" => {
            let divisors = keys.list("divisors", plain.len())?;
            spec.frequencies.iter_mut().zip(divisors).for_each(|(frequency, divisor)| *frequency /= divisor);
        }
        // Phi-3's first configs call longrope `su` or `yarn`.
        "yarn" if config.model_type()? == "phi3" => longrope(config, keys, &plain, &mut spec)?,
        "yarn" => softmax_factor = yarn(config, keys, theta, &plain, &mut spec)?,
        "longrope" | "su" => longrope(config, keys, &plain, &mut spec)?,
        other => {
            return Err(SpecError::UnsupportedKey { key: format!("{}.rope_type", keys.key), value: shown(other) });
        }
    }
    let long = spec.long.iter().flat_map(|(_, frequencies)| frequencies);
    let turns = spec.frequencies.iter().chain(long).all(|frequency| (0.0..=FASTEST).contains(frequency));
    if !(turns && in_range(spec.factor) && in_range(softmax_factor)) {
        let found = "a scaling that turns by angles out of range".to_owned();
        return Err(SpecError::Invalid { key: keys.key.into(), found, expected: "a usable one".into() });
    }
    Ok((spec, softmax_factor))
}

/// Largest angle per position, in radians. Published scalings stay at 1 and below; what is far beyond loses its angle to
/// rounding at the first positions, or is infinite.
const FASTEST: f64 = 1e6;

/// Llama 3.1: low frequencies are divided, high ones kept, those between blended.
fn llama3(config: &Config, keys: &RopeKeys, frequencies: &mut [f64]) -> Result<(), SpecError> {
    let (factor, low) = (keys.required("factor")?, keys.required("low_freq_factor")?);
    let (high, original) = (keys.required("high_freq_factor")?, keys.original(config)?);
    for frequency in frequencies {
        let wavelength = 2.0 * PI / *frequency;
        if wavelength > original / low {
            *frequency /= factor;
        } else if wavelength >= original / high {
            let smooth = (original / wavelength - low) / (high - low);
            *frequency = (1.0 - smooth) * *frequency / factor + smooth * *frequency;
        }
    }
    Ok(())
}

/// YaRN (Peng et al., 2023, <https://arxiv.org/abs/2309.00071>): frequencies are blended by how many turns they make in
/// the original context. Gives the factor on attention's softmax scale.
fn yarn(config: &Config, keys: &RopeKeys, theta: f64, plain: &[f64], spec: &mut RopeSpec) -> Result<f64, SpecError> {
    let factor = keys.required("factor")?;
    let original = keys.original(config)?;
    let (fast, slow) = (keys.nonzero("beta_fast")?.unwrap_or(32.0), keys.nonzero("beta_slow")?.unwrap_or(1.0));
    let dims = spec.dims as f64;
    let dimension = |turns: f64| dims * (original / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln());
    let truncate = keys.scaling.and_then(|map| map.get("truncate")).and_then(Value::as_bool).unwrap_or(true);
    let (mut low, mut high) = (dimension(fast), dimension(slow));
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(dims - 1.0));
    if low == high {
        high += 0.001;
    }
    for (i, frequency) in spec.frequencies.iter_mut().enumerate() {
        let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
        *frequency = plain[i] / factor * ramp + plain[i] * (1.0 - ramp);
    }
    let scale = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
    // One without the other scales no cosine, and `mscale_all_dim` alone still the softmax: so transformers has it, where
    // DeepSeek's own code would take `mscale` alone too. Published configs state both.
    let (mscale, all) = (keys.nonzero("mscale")?, keys.nonzero("mscale_all_dim")?);
    spec.factor = match (keys.number("attention_factor")?, mscale, all) {
        (Some(factor), _, _) => factor,
        (None, Some(mscale), Some(all)) => scale(mscale) / scale(all),
        (None, _, _) => scale(1.0),
    };
    // Only DeepSeek's attention puts the square of it on its softmax.
    let deepseek = config.model_type()?.starts_with("deepseek");
    Ok(all.filter(|_| deepseek).map_or(NO_SOFTMAX_FACTOR, |all| scale(all).powi(2)))
}

/// LongRoPE (Ding et al., 2024, <https://arxiv.org/abs/2402.13753>): a divisor for each frequency, one list for short and
/// one for long sequences.
fn longrope(config: &Config, keys: &RopeKeys, plain: &[f64], spec: &mut RopeSpec) -> Result<(), SpecError> {
    let longest = config.count("max_position_embeddings")? as f64;
    let original = match config.optional_count("original_max_position_embeddings")? {
        Some(original) => original as f64,
        None => keys.original(config)?,
    };
    let divided =
        |divisors: Vec<f64>| plain.iter().zip(divisors).map(|(frequency, divisor)| frequency / divisor).collect();
    spec.frequencies = divided(keys.list("short_factor", plain.len())?);
    spec.long = Some((original as usize, divided(keys.list("long_factor", plain.len())?)));
    let factor = match config.optional_count("original_max_position_embeddings")? {
        Some(_) => longest / original,
        None => keys.number("factor")?.unwrap_or(longest / original),
    };
    spec.factor = match keys.number("attention_factor")? {
        Some(factor) => factor,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / original.ln()).sqrt(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(model_type: &str, scaling: &[(&str, Value)]) -> (RopeSpec, f64) {
        let scaling: Map<String, Value> = scaling.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
        let config = json!({
            "model_type": model_type, "max_position_embeddings": 1024, "original_max_position_embeddings": 128,
            "rope_scaling": scaling,
        });
        let config = Config::new(config).unwrap();
        rope(&config, &RopeKeys::of(&config, "full_attention").unwrap(), 4, 10_000.0, true).unwrap()
    }

    /// What transformers 5.23 computes for DeepSeek-V2: `attention_scaling` of its rotary embedding, and its attention's
    /// `scaling` over that without yarn.
    #[test]
    fn either_mscale_alone_means_what_transformers_takes_it_for() {
        for (mscales, factor, softmax) in [
            (vec![], 1.207_944_154_167_983_6, 1.0),
            (vec![("mscale", json!(0.707))], 1.207_944_154_167_983_6, 1.0),
            (vec![("mscale_all_dim", json!(0.707))], 1.207_944_154_167_983_6, 1.315_646_890_263_388_7),
            (
                vec![("mscale", json!(0.707)), ("mscale_all_dim", json!(0.5))],
                1.038_990_515_073_958_5,
                1.218_754_346_981_143,
            ),
            (vec![("mscale", json!(0.707)), ("mscale_all_dim", json!(0))], 1.207_944_154_167_983_6, 1.0),
            (
                vec![("mscale", json!(0)), ("mscale_all_dim", json!(0.5))],
                1.207_944_154_167_983_6,
                1.218_754_346_981_143,
            ),
            (vec![("attention_factor", json!(0.9)), ("mscale_all_dim", json!(0.5))], 0.9, 1.218_754_346_981_143),
        ] {
            let yarn =
                [("type", json!("yarn")), ("factor", json!(8)), ("original_max_position_embeddings", json!(128))];
            let (spec, found) = read("deepseek_v2", &[yarn.as_slice(), &mscales].concat());
            assert!((spec.factor - factor).abs() < 1e-12 && (found - softmax).abs() < 1e-12, "{mscales:?}");
        }
    }

    /// As `AutoConfig` of transformers 5.24 resolves them.
    #[test]
    fn a_base_beside_parameters_counts_where_they_state_none() {
        let second = |parameters: Value| {
            let config = json!({ "model_type": "llama", "rope_theta": 500_000.0, "rope_parameters": parameters });
            let config = Config::new(config).unwrap();
            let keys = RopeKeys::of(&config, "full_attention").unwrap();
            rope(&config, &keys, 4, 10_000.0, false).unwrap().0.frequencies[1]
        };
        let close = |found: f64, theta: f64| (found * theta.sqrt() - 1.0).abs() < 1e-12;
        assert!(close(second(json!({ "rope_type": "default" })), 500_000.0));
        assert!(close(second(json!({ "rope_type": "default", "rope_theta": null })), 500_000.0));
        assert!(close(second(json!({ "rope_type": "default", "rope_theta": 7_000.0 })), 7_000.0));
    }

    #[test]
    fn phi3_means_longrope_by_its_older_names_too() {
        let factors = [("short_factor", json!([1.0, 2.0])), ("long_factor", json!([3.0, 4.0]))];
        let of = |kind: &str| read("phi3", &[&[("type", json!(kind))], factors.as_slice()].concat());
        let longrope = of("longrope");
        assert_eq!(longrope.0.long, Some((128, vec![1.0 / 3.0, 0.01 / 4.0])));
        assert_eq!((of("su"), of("yarn")), (longrope.clone(), longrope));
    }
}
