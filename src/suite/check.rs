//! Check: what an answer to a prompt is held to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::language::Language;

/// What an answer is held to. [`crate::quality`] judges by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stated", into = "Stated")]
pub enum Check {
    /// One of the texts occurs; case does not count.
    Contains(Vec<String>),
    /// None of the texts occurs; case does not count.
    Excludes(Vec<String>),
    /// The pattern occurs.
    Matches(Pattern),
    /// The answer names one label of a set, and it is this.
    Label {
        /// Each label with its synonyms after it.
        labels: Vec<Vec<String>>,
        /// The first word of the right one.
        is: String,
    },
    /// A number of the answer is this.
    Number {
        /// The right one.
        is: f64,
        /// How far it may be off.
        tolerance: f64,
    },
    /// The answer is one JSON value that the schema allows.
    Json(Schema),
    /// The answer has so many items.
    List(Bounds),
    /// The answer has so many sentences.
    Sentences(Bounds),
    /// The answer has so many characters.
    Characters {
        /// How many.
        bounds: Bounds,
        /// Whether white space counts: 공백 포함.
        spaces: bool,
    },
    /// The answer begins with one of the texts; case does not count.
    Starts(Vec<String>),
    /// The answer ends with one of the texts; case does not count.
    Ends(Vec<String>),
    /// The code of the answer parses as Python 3.11 and defines these names.
    Python(Vec<String>),
    /// Sentences end in the register.
    Register(Register),
    /// The answer is in the language.
    Language(Language),
    /// The answer is not mostly the prompt again.
    NotEcho,
    /// The answer ended by itself, not at a limit.
    Complete,
}

/// The kind of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the variant of `Check` of the same name")]
pub enum CheckKind {
    Contains,
    Excludes,
    Matches,
    Label,
    Number,
    Json,
    List,
    Sentences,
    Characters,
    Starts,
    Ends,
    Python,
    Register,
    Language,
    NotEcho,
    Complete,
}

/// The least and the most, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least; 0 where nothing is stated.
    pub min: usize,
    /// At most.
    pub max: Option<usize>,
}

impl Bounds {
    /// Whether a count is within.
    pub fn hold(self, count: usize) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

/// How Korean sentences address the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Register {
    /// -습니다, -습니까, -십시오.
    #[serde(rename = "합쇼체")]
    Formal,
    /// -요, -죠.
    #[serde(rename = "해요체")]
    Informal,
    /// Either of the two.
    #[serde(rename = "polite")]
    Polite,
    /// -다, -까, -라, -자; 반말.
    #[serde(rename = "plain")]
    Plain,
}

/// A regular expression that compiles, without look-around and back-references: it takes time in proportion to the answer.
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// A pattern that does not compile, or that takes more than 10 MB.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        regex::Regex::new(pattern).map(Self)
    }

    /// The compiled expression.
    pub fn regex(&self) -> &regex::Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A JSON Schema that compiles.
#[derive(Debug, Clone)]
pub struct Schema {
    source: Value,
    validator: std::sync::Arc<jsonschema::Validator>,
}

impl Schema {
    /// Compiles it. Nothing is fetched: a reference leads to within the schema. Patterns are without backtracking.
    ///
    /// # Errors
    /// What is wrong with the schema, and where.
    pub fn new(source: Value) -> Result<Self, String> {
        let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
        let validator = options.build(&source).map_err(|error| {
            let place = error.instance_path().to_string();
            format!(
                "the schema does not compile: {error}{}",
                if place.is_empty() { String::new() } else { format!(" at {place}") }
            )
        })?;
        Ok(Self { source, validator: validator.into() })
    }

    /// The first thing that it does not allow in a value, and where.
    pub fn fault(&self, value: &Value) -> Option<String> {
        self.validator.iter_errors(value).next().map(|error| {
            let place = error.instance_path().to_string();
            if place.is_empty() { error.to_string() } else { format!("{error} at {place}") }
        })
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Check {
    /// What kind it is of.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Contains(_) => CheckKind::Contains,
            Self::Excludes(_) => CheckKind::Excludes,
            Self::Matches(_) => CheckKind::Matches,
            Self::Label { .. } => CheckKind::Label,
            Self::Number { .. } => CheckKind::Number,
            Self::Json(_) => CheckKind::Json,
            Self::List(_) => CheckKind::List,
            Self::Sentences(_) => CheckKind::Sentences,
            Self::Characters { .. } => CheckKind::Characters,
            Self::Starts(_) => CheckKind::Starts,
            Self::Ends(_) => CheckKind::Ends,
            Self::Python(_) => CheckKind::Python,
            Self::Register(_) => CheckKind::Register,
            Self::Language(_) => CheckKind::Language,
            Self::NotEcho => CheckKind::NotEcho,
            Self::Complete => CheckKind::Complete,
        }
    }
}

impl CheckKind {
    /// Its name in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::Excludes => "excludes",
            Self::Matches => "matches",
            Self::Label => "label",
            Self::Number => "number",
            Self::Json => "json",
            Self::List => "list",
            Self::Sentences => "sentences",
            Self::Characters => "characters",
            Self::Starts => "starts",
            Self::Ends => "ends",
            Self::Python => "python",
            Self::Register => "register",
            Self::Language => "language",
            Self::NotEcho => "not_echo",
            Self::Complete => "complete",
        }
    }

    /// The keys that it takes beside `kind`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Contains | Self::Excludes | Self::Starts | Self::Ends => &["any"],
            Self::Matches => &["pattern"],
            Self::Label => &["labels", "is"],
            Self::Number => &["is", "tolerance"],
            Self::Json => &["schema"],
            Self::List | Self::Sentences => &["min", "max"],
            Self::Characters => &["min", "max", "spaces"],
            Self::Python => &["defines"],
            Self::Register | Self::Language => &["is"],
            Self::NotEcho | Self::Complete => &[],
        }
    }
}

/// A check as a file states it: the keys of all kinds. A key that no kind takes is refused at its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stated {
    kind: CheckKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spaces: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defines: Option<Vec<String>>,
    /// An answer that fails this check and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fails: Option<String>,
}

impl Stated {
    fn new(kind: CheckKind) -> Self {
        Self {
            kind,
            any: None,
            pattern: None,
            labels: None,
            is: None,
            tolerance: None,
            schema: None,
            min: None,
            max: None,
            spaces: None,
            defines: None,
            fails: None,
        }
    }

    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("any", self.any.is_some()),
            ("pattern", self.pattern.is_some()),
            ("labels", self.labels.is_some()),
            ("is", self.is.is_some()),
            ("tolerance", self.tolerance.is_some()),
            ("schema", self.schema.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("spaces", self.spaces.is_some()),
            ("defines", self.defines.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }

    fn bounds(&self) -> Result<Bounds, String> {
        match (self.min, self.max) {
            (None, None) => Err(format!("`{}` needs `min` or `max`", self.kind.name())),
            (Some(min), Some(max)) if min > max => Err(format!("`min` is {min}, which is more than `max`, {max}")),
            (min, max) => Ok(Bounds { min: min.unwrap_or(0), max }),
        }
    }
}

impl TryFrom<Stated> for Check {
    type Error = String;

    fn try_from(stated: Stated) -> Result<Self, String> {
        let kind = stated.kind;
        let name = kind.name();
        if let Some(key) = stated.given().into_iter().find(|key| !kind.keys().contains(key)) {
            let keys = kind.keys().iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let takes = if keys.is_empty() { "nothing".to_owned() } else { keys };
            return Err(format!("`{name}` does not take `{key}`, but {takes}"));
        }
        let needs = |key: &str| format!("`{name}` needs `{key}`");
        let texts = |texts: Option<Vec<String>>| {
            let texts = texts.ok_or_else(|| needs("any"))?;
            if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
                return Err(format!("`any` of `{name}` needs texts that are not empty"));
            }
            Ok(texts)
        };
        let word = |value: Option<Value>| match value.ok_or_else(|| needs("is"))? {
            Value::String(word) => Ok(word),
            other => Err(format!("`is` of `{name}` is {other}, expected a text")),
        };
        Ok(match kind {
            CheckKind::Contains => Self::Contains(texts(stated.any)?),
            CheckKind::Excludes => Self::Excludes(texts(stated.any)?),
            CheckKind::Starts => Self::Starts(texts(stated.any)?),
            CheckKind::Ends => Self::Ends(texts(stated.any)?),
            CheckKind::Matches => {
                let pattern = stated.pattern.ok_or_else(|| needs("pattern"))?;
                Self::Matches(Pattern::new(&pattern).map_err(|error| format!("the pattern does not compile: {error}"))?)
            }
            CheckKind::Label => {
                let labels = stated.labels.ok_or_else(|| needs("labels"))?;
                let is = word(stated.is)?;
                if labels.iter().any(|words| words.iter().all(|word| word.trim().is_empty())) {
                    return Err("a label of `labels` is empty".into());
                }
                if !labels.iter().any(|words| words.first() == Some(&is)) {
                    let firsts: Vec<&str> =
                        labels.iter().filter_map(|words| words.first()).map(String::as_str).collect();
                    let near = crate::toml_error::nearest(&is, firsts.iter().copied());
                    let near = near.map(|word| format!(": did you mean `{word}`?")).unwrap_or_default();
                    return Err(format!("`{is}` is not the first word of one of the labels{near}"));
                }
                Self::Label { labels, is }
            }
            CheckKind::Number => {
                let is = stated.is.ok_or_else(|| needs("is"))?;
                let is = is.as_f64().ok_or_else(|| format!("`is` of `number` is {is}, expected a number"))?;
                let tolerance = stated.tolerance.unwrap_or(0.0);
                if !(is.is_finite() && tolerance.is_finite() && tolerance >= 0.0) {
                    return Err("`is` and `tolerance` of `number` are finite, and a tolerance is not under 0".into());
                }
                Self::Number { is, tolerance }
            }
            CheckKind::Json => Self::Json(Schema::new(stated.schema.ok_or_else(|| needs("schema"))?)?),
            CheckKind::List => Self::List(stated.bounds()?),
            CheckKind::Sentences => Self::Sentences(stated.bounds()?),
            CheckKind::Characters => {
                let spaces = stated.spaces.ok_or("`characters` needs `spaces`: whether white space counts")?;
                Self::Characters { bounds: stated.bounds()?, spaces }
            }
            CheckKind::Python => Self::Python(stated.defines.unwrap_or_default()),
            CheckKind::Register => {
                let is = Value::String(word(stated.is)?);
                Self::Register(serde_json::from_value(is).map_err(|error| error.to_string())?)
            }
            CheckKind::Language => {
                let is = Value::String(word(stated.is)?);
                Self::Language(serde_json::from_value(is).map_err(|error| error.to_string())?)
            }
            CheckKind::NotEcho => Self::NotEcho,
            CheckKind::Complete => Self::Complete,
        })
    }
}

impl From<Check> for Stated {
    fn from(check: Check) -> Self {
        let stated = Self::new(check.kind());
        let of_bounds = |bounds: Bounds, stated: Self| Self {
            min: (bounds.min > 0 || bounds.max.is_none()).then_some(bounds.min),
            max: bounds.max,
            ..stated
        };
        match check {
            Check::Contains(any) | Check::Excludes(any) | Check::Starts(any) | Check::Ends(any) => {
                Self { any: Some(any), ..stated }
            }
            Check::Matches(pattern) => Self { pattern: Some(pattern.0.as_str().into()), ..stated },
            Check::Label { labels, is } => Self { labels: Some(labels), is: Some(is.into()), ..stated },
            Check::Number { is, tolerance } => {
                Self { is: Some(is.into()), tolerance: (tolerance > 0.0).then_some(tolerance), ..stated }
            }
            Check::Json(schema) => Self { schema: Some(schema.source), ..stated },
            Check::List(bounds) | Check::Sentences(bounds) => of_bounds(bounds, stated),
            Check::Characters { bounds, spaces } => of_bounds(bounds, Self { spaces: Some(spaces), ..stated }),
            Check::Python(defines) => Self { defines: (!defines.is_empty()).then_some(defines), ..stated },
            Check::Register(register) => Self { is: serde_json::to_value(register).ok(), ..stated },
            Check::Language(language) => Self { is: serde_json::to_value(language).ok(), ..stated },
            Check::NotEcho | Check::Complete => stated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Check, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for json in [
            r#"{"kind":"contains","any":["가"]}"#,
            r#"{"kind":"excludes","any":["가","b"]}"#,
            r#"{"kind":"matches","pattern":"^a+$"}"#,
            r#"{"kind":"label","labels":[["긍정","positive"],["부정"]],"is":"긍정"}"#,
            r#"{"kind":"number","is":12000.0,"tolerance":0.5}"#,
            r#"{"kind":"json","schema":{"type":"object"}}"#,
            r#"{"kind":"list","min":3,"max":3}"#,
            r#"{"kind":"sentences","max":2}"#,
            r#"{"kind":"characters","max":50,"spaces":false}"#,
            r#"{"kind":"starts","any":["가"]}"#,
            r#"{"kind":"ends","any":["가"]}"#,
            r#"{"kind":"python","defines":["f"]}"#,
            r#"{"kind":"register","is":"합쇼체"}"#,
            r#"{"kind":"language","is":"en"}"#,
            r#"{"kind":"not_echo"}"#,
            r#"{"kind":"complete"}"#,
        ] {
            let check = read(json).unwrap();
            assert_eq!(serde_json::to_string(&check).unwrap(), json);
            assert!(json.contains(&format!("\"{}\"", check.kind().name())), "{json}");
        }
    }

    #[test]
    fn what_a_kind_lacks_or_does_not_take_is_said() {
        for (json, message) in [
            (r#"{"kind":"label","labels":[["긍정"]]}"#, "`label` needs `is`"),
            (r#"{"kind":"label","labels":[["positive"],["negative"]],"is":"positiv"}"#, "did you mean `positive`?"),
            (r#"{"kind":"list","any":["a"]}"#, "`list` does not take `any`, but `min`, `max`"),
            (r#"{"kind":"complete","max":1}"#, "`complete` does not take `max`, but nothing"),
            (r#"{"kind":"list"}"#, "`list` needs `min` or `max`"),
            (r#"{"kind":"list","min":4,"max":3}"#, "`min` is 4, which is more than `max`, 3"),
            (r#"{"kind":"characters","max":3}"#, "`characters` needs `spaces`"),
            (r#"{"kind":"contains","any":[]}"#, "needs texts that are not empty"),
            (r#"{"kind":"matches","pattern":"("}"#, "the pattern does not compile"),
            (r#"{"kind":"matches","pattern":"(?=a)"}"#, "look-around"),
            (r#"{"kind":"matches","pattern":"((a{1000}){1000}){1000}"}"#, "does not compile"),
            (r#"{"kind":"json","schema":{"type":"objekt"}}"#, "the schema does not compile"),
            (r#"{"kind":"json","schema":{"$ref":"https://example.com/s"}}"#, "the schema does not compile"),
            (r#"{"kind":"number","is":"many"}"#, "`is` of `number` is \"many\", expected a number"),
            (r#"{"kind":"contians","any":["a"]}"#, "unknown variant `contians`"),
            (r#"{"kind":"contains","anny":["a"]}"#, "unknown field `anny`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(message), "{json}: {error}");
        }
    }
}
