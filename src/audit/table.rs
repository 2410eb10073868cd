//! Reading somebody's table: which of its columns are understood, and what each row claims.

use serde::Serialize;

/// A table, as far as it is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub taken: Taken,
    pub claims: Vec<Claim>,
}

/// The columns that were taken, by their headings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    pub model: String,
    pub precision: Option<String>,
    pub tokens_per_second: Option<String>,
    pub memory: Option<String>,
    pub left_out: Vec<String>,
}

/// What a row says. `None` is not stated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claim {
    pub model: String,
    pub precision: Option<String>,
    pub tokens_per_second: Option<f64>,
    pub memory_bytes: Option<f64>,
    /// Cells that should hold a number and do not.
    pub unread: Vec<String>,
}

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("it is no CSV: {0}")]
    Csv(String),
    #[error("no column is headed as a model; there are {0}")]
    NoModel(String),
    #[error("no column is headed as tokens/s or memory; there are {0}")]
    NoFigures(String),
    #[error("the column `{0}` does not say whether it is in MB, MiB, GB, GiB or bytes")]
    NoUnit(String),
    #[error("it has no rows")]
    Empty,
}

impl TableError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Csv(_) => "give a table as CSV, with a line of headings",
            Self::NoModel(_) => "head it `model`",
            Self::NoFigures(_) => "head them `tokens/s` and `memory MB`",
            Self::NoUnit(_) => "put the unit into the heading, as `memory MB`",
            Self::Empty => return None,
        };
        Some(hint.into())
    }
}

/// Headings that mean the model, in words of letters and digits.
const MODEL: [&str; 8] = ["model", "model name", "candidate", "name", "checkpoint", "repository", "모델", "모델명"];

const PRECISION: [&str; 7] = ["precision", "quantization", "quantisation", "quant", "dtype", "layout", "정밀도"];

/// Headings that mean the speed of one request.
const SPEED: [&str; 14] = [
    "tokens s",
    "tok s",
    "t s",
    "tokens sec",
    "tok sec",
    "tokens second",
    "tokens per second",
    "tps",
    "decode tok s",
    "decode tokens s",
    "decode tokens per second",
    "decode tokens per second median",
    "generation tokens s",
    "토큰 초",
];

/// Words of which one stands in a heading that means memory.
const MEMORY: [&str; 4] = ["vram", "memory", "mem", "메모리"];

impl Table {
    /// Reads CSV with a heading.
    ///
    /// # Errors
    /// Text that is none, or has no column for the model or for a figure.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        // Some programs begin a file with a mark of its encoding.
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
        let failed = |error: csv::Error| TableError::Csv(error.to_string());
        let headings: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let columns = Columns::of(&headings)?;
        let mut claims = Vec::new();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let cell = |index: Option<usize>| index.and_then(|index| record.get(index)).filter(|cell| is_stated(cell));
            let Some(model) = cell(Some(columns.model)) else { continue };
            let mut unread = Vec::new();
            let mut number = |index| {
                let cell = cell(index)?;
                let number = number(cell);
                if number.is_none() {
                    unread.push(cell.to_owned());
                }
                number
            };
            let tokens_per_second = number(columns.speed);
            let memory_bytes = number(columns.memory.map(|(index, _)| index));
            claims.push(Claim {
                model: model.to_owned(),
                precision: cell(columns.precision).map(str::to_owned),
                tokens_per_second,
                memory_bytes: memory_bytes.zip(columns.memory).map(|(number, (_, unit))| number * unit),
                unread,
            });
        }
        if claims.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(Self { taken: columns.taken(&headings), claims })
    }
}

/// Where the columns stand; of several that mean the same the first is taken.
struct Columns {
    model: usize,
    precision: Option<usize>,
    speed: Option<usize>,
    /// With the bytes of its unit.
    memory: Option<(usize, f64)>,
}

impl Columns {
    fn of(headings: &[String]) -> Result<Self, TableError> {
        let plain: Vec<String> = headings.iter().map(|heading| words(heading)).collect();
        let find = |names: &[&str]| plain.iter().position(|heading| names.contains(&heading.as_str()));
        let all = || headings.iter().map(|heading| format!("`{heading}`")).collect::<Vec<_>>().join(", ");
        let model = find(&MODEL).ok_or_else(|| TableError::NoModel(all()))?;
        let is_memory = |heading: &String| heading.split(' ').any(|word| MEMORY.contains(&word));
        let memory = match plain.iter().position(is_memory) {
            None => None,
            Some(index) => {
                let unit = plain[index].split(' ').find_map(unit);
                Some((index, unit.ok_or_else(|| TableError::NoUnit(headings[index].clone()))?))
            }
        };
        let speed = find(&SPEED);
        if speed.is_none() && memory.is_none() {
            return Err(TableError::NoFigures(all()));
        }
        Ok(Self { model, precision: find(&PRECISION), speed, memory })
    }

    fn taken(&self, headings: &[String]) -> Taken {
        let used = [Some(self.model), self.precision, self.speed, self.memory.map(|(index, _)| index)];
        let heading = |index: usize| headings[index].clone();
        Taken {
            model: heading(self.model),
            precision: self.precision.map(heading),
            tokens_per_second: self.speed.map(heading),
            memory: self.memory.map(|(index, _)| heading(index)),
            left_out: (0..headings.len()).filter(|index| !used.contains(&Some(*index))).map(heading).collect(),
        }
    }
}

/// Bytes of a unit of memory. MB are 10⁶ bytes, as tools that print MB mean them; MiB are 2²⁰.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "bytes" | "byte" | "b" => 1.0,
        "mb" => 1e6,
        "mib" => f64::from(1 << 20),
        "gb" => 1e9,
        "gib" => f64::from(1 << 30),
        _ => return None,
    })
}

/// The words of a heading, in lower case and with one space between.
fn words(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a cell says anything.
fn is_stated(cell: &str) -> bool {
    !matches!(cell.to_lowercase().as_str(), "" | "-" | "—" | "–" | "n/a" | "na" | "null" | "none")
}

/// A positive number, with or without commas between thousands.
fn number(cell: &str) -> Option<f64> {
    let number: f64 = cell.replace(',', "").trim().parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_many_names_and_told() {
        let table =
            Table::parse("\u{feff}Model, Tokens/s ,VRAM (MB),GPU\nA,\"1,019.5\",4496.57,L4\nB,-,-,L4\n").unwrap();
        let taken = Taken {
            model: "Model".into(),
            precision: None,
            tokens_per_second: Some("Tokens/s".into()),
            memory: Some("VRAM (MB)".into()),
            left_out: vec!["GPU".into()],
        };
        assert_eq!(table.taken, taken);
        assert_eq!(table.claims[0].tokens_per_second, Some(1019.5));
        assert_eq!(table.claims[0].memory_bytes, Some(4_496_570_000.0));
        assert_eq!((table.claims[1].tokens_per_second, table.claims[1].memory_bytes), (None, None));
        assert!(table.claims[1].unread.is_empty());
    }

    #[test]
    fn a_run_exported_by_this_program_can_be_audited() {
        let header = "run_id,candidate,quantization,precision,peak_memory_bytes,estimated_memory_bytes,\
                      decode_tokens_per_second_median";
        let table = Table::parse(&format!("{header}\nr,qwen2.5-7b,q4_k,q4_k 93 %,5000000000,1,30\n")).unwrap();
        let claim = &table.claims[0];
        assert_eq!((claim.model.as_str(), claim.precision.as_deref()), ("qwen2.5-7b", Some("q4_k")));
        assert_eq!((claim.memory_bytes, claim.tokens_per_second), (Some(5e9), Some(30.0)));
        assert_eq!(table.taken.left_out, ["run_id", "precision", "estimated_memory_bytes"]);
    }

    #[test]
    fn units_are_never_guessed() {
        let bytes =
            |heading: &str| Table::parse(&format!("model,{heading}\na,2\n")).map(|table| table.claims[0].memory_bytes);
        assert_eq!(bytes("memory_gib"), Ok(Some(2.0 * 1024f64.powi(3))));
        assert_eq!(bytes("메모리 GB"), Ok(Some(2e9)));
        assert_eq!(bytes("VRAM"), Err(TableError::NoUnit("VRAM".into())));
    }

    #[test]
    fn what_is_no_number_is_told() {
        let table = Table::parse("model,tok/s\na,OOM\nb,nan\nc,-3\nd,inf\n").unwrap();
        let unread: Vec<&str> = table.claims.iter().flat_map(|claim| &claim.unread).map(String::as_str).collect();
        assert_eq!(unread, ["OOM", "nan", "-3", "inf"]);
        assert!(table.claims.iter().all(|claim| claim.tokens_per_second.is_none()));
    }

    #[test]
    fn a_table_without_the_needed_columns_is_refused() {
        assert_eq!(Table::parse("a,b\n1,2\n"), Err(TableError::NoModel("`a`, `b`".into())));
        assert_eq!(Table::parse("model,b\n1,2\n"), Err(TableError::NoFigures("`model`, `b`".into())));
        assert_eq!(Table::parse("model,tok/s\n"), Err(TableError::Empty));
        assert!(matches!(Table::parse(""), Err(TableError::NoModel(_))));
    }

    #[test]
    fn short_and_long_lines_do_no_harm() {
        let table = Table::parse("model,tok/s\na\nb,1,2,3\n").unwrap();
        assert_eq!(table.claims.len(), 2);
        assert_eq!(table.claims[1].tokens_per_second, Some(1.0));
    }
}
