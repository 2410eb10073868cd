//! Reading somebody's table: which of its columns are understood, and what each row claims.

use super::columns::{Columns, Taken, is_rate, unit, words};
use super::encoding::decode;
use super::error::TableError;
use super::numbers::{self, Fit, Notation};

/// A table, as far as it is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub taken: Taken,
    pub claims: Vec<Claim>,
}

/// What a row says. `None` is not stated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claim {
    pub model: String,
    /// Which model that is, on the Hub.
    pub repository: Option<String>,
    pub precision: Option<String>,
    pub tokens_per_second: Option<f64>,
    pub memory_bytes: Option<f64>,
    /// Why a cell that should hold a number was not read, as "`OOM` is no number".
    pub unread: Vec<String>,
}

impl Table {
    /// Reads CSV with a heading, in any of the encodings that spreadsheets save in, separated by commas, semicolons or tabs.
    ///
    /// # Errors
    /// Bytes that are no text, text that is no table, or has no column for the model or for a figure.
    pub fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let decoded = decode(bytes)?;
        // The separator is the one by which most columns are understood.
        let attempts = [b',', b';', b'\t'].map(|separator| {
            let cells = Cells::split(&decoded.text, separator)?;
            let columns = cells.columns()?;
            Ok((cells, columns))
        });
        let count = |attempt: &Result<(Cells, Columns), TableError>| match attempt {
            Ok((_, columns)) => columns.count(),
            Err(_) => 0,
        };
        // Of equal ones the comma, which also gives the error.
        let best = attempts.into_iter().rev().max_by_key(count);
        let (cells, columns) = best.unwrap_or(Err(TableError::Empty))?;
        let claims = cells.claims(&columns);
        if claims.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(Self { taken: columns.taken(&cells.headings, decoded.encoding), claims })
    }
}

/// A table's text, cell by cell.
struct Cells {
    headings: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Cells {
    fn split(text: &str, separator: u8) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(separator).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
        let failed = |error: csv::Error| TableError::Csv(error.to_string());
        let headings = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { headings, rows })
    }

    fn columns(&self) -> Result<Columns, TableError> {
        let has_unit = |cell: &str| with_unit(cell).1.first().is_some_and(|word| unit(word).is_some());
        Columns::of(&self.headings, |index| self.column(index).any(has_unit))
    }

    /// What a column states, row by row; a row with more cells than there are headings states nothing, because nobody knows
    /// which of its cells belong together.
    fn column(&self, index: usize) -> impl Iterator<Item = &str> {
        let regular = self.rows.iter().filter(|row| !self.is_long(row));
        regular.filter_map(move |row| row.get(index)).filter(|cell| is_stated(cell))
    }

    fn is_long(&self, row: &csv::StringRecord) -> bool {
        row.iter().skip(self.headings.len()).any(|cell| !cell.is_empty())
    }

    fn claims(&self, columns: &Columns) -> Vec<Claim> {
        let memory = columns.memory.map(|memory| memory.index);
        let numbers = |index: usize| self.column(index).map(|cell| with_unit(cell).0);
        let fits: Vec<Fit> =
            [columns.speed, memory].into_iter().flatten().map(|index| numbers::fit(numbers(index))).collect();
        let notation = |index: Option<usize>| {
            let index = index?;
            numbers::notation(numbers::fit(numbers(index)), numbers(index), &fits)
        };
        let (speeds, memories) = (notation(columns.speed), notation(memory));
        let claim = |row: &csv::StringRecord| {
            let cell = |index: Option<usize>| row.get(index?).filter(|cell| is_stated(cell));
            let mut claim = Claim {
                model: cell(Some(columns.model))?.to_owned(),
                repository: cell(columns.repository).map(str::to_owned),
                precision: cell(columns.precision).map(str::to_owned),
                ..Claim::default()
            };
            if self.is_long(row) {
                claim.unread.push(format!("it has {} cells and the headings are {}", row.len(), self.headings.len()));
                return Some(claim);
            }
            let mut read = |cell: Option<&str>, notation, unit: &dyn Fn(&[String]) -> Option<f64>| {
                let number = quantity(cell?, notation, unit);
                number.map_err(|why| claim.unread.push(why)).ok()
            };
            let in_seconds = |words: &[String]| (words.is_empty() || is_rate(words)).then_some(1.0);
            let in_bytes = |words: &[String]| match words {
                [] => columns.memory?.unit,
                [word] => unit(word),
                _ => None,
            };
            claim.tokens_per_second = read(cell(columns.speed), speeds, &in_seconds);
            claim.memory_bytes = read(cell(memory), memories, &in_bytes);
            Some(claim)
        };
        self.rows.iter().filter_map(claim).collect()
    }
}

/// The number of a cell in its column's notation, times its unit; or why it is not read.
fn quantity(cell: &str, notation: Option<Notation>, unit: &dyn Fn(&[String]) -> Option<f64>) -> Result<f64, String> {
    let (digits, words) = with_unit(cell);
    let unit = unit(&words).ok_or_else(|| format!("`{cell}` is no number"))?;
    let each = [Notation::Point, Notation::Comma].map(|notation| numbers::number(digits, notation));
    match notation {
        Some(notation) => numbers::number(digits, notation),
        // No notation fits the column, but this cell is the same number in both.
        None => match each {
            [Some(point), Some(comma)] if point == comma => Some(point),
            [None, None] => None,
            _ => {
                return Err(format!(
                    "`{cell}` may have a decimal comma or not, as its column has it both ways or never clearly"
                ));
            }
        },
    }
    .map(|number| number * unit)
    .ok_or_else(|| format!("`{cell}` is no number"))
}

/// A cell's number, and the words of the unit after it.
fn with_unit(cell: &str) -> (&str, Vec<String>) {
    let end = cell.rfind(|letter: char| letter.is_ascii_digit()).map_or(cell.len(), |last| last + 1);
    let (number, unit) = cell.split_at(end);
    (number, words(unit))
}

/// Whether a cell says anything.
fn is_stated(cell: &str) -> bool {
    !matches!(cell.to_lowercase().as_str(), "" | "-" | "—" | "–" | "n/a" | "na" | "null" | "none" | "없음")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table, TableError> {
        Table::read(text.as_bytes())
    }

    #[test]
    fn columns_are_known_by_many_names_and_told() {
        let table = parse("\u{feff}Model, Tokens/s ,VRAM (MB),GPU\nA,\"1,019.5\",4496.57,L4\nB,-,-,L4\n").unwrap();
        let taken = Taken {
            encoding: "UTF-8",
            model: "Model".into(),
            repository: None,
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
        let table = parse(&format!("{header}\nr,qwen2.5-7b,q4_k,q4_k 93 %,5000000000,1,30\n")).unwrap();
        let claim = &table.claims[0];
        assert_eq!((claim.model.as_str(), claim.precision.as_deref()), ("qwen2.5-7b", Some("q4_k")));
        assert_eq!((claim.memory_bytes, claim.tokens_per_second), (Some(5e9), Some(30.0)));
        assert_eq!(table.taken.left_out, ["run_id", "precision", "estimated_memory_bytes"]);
    }

    #[test]
    fn units_are_never_guessed() {
        let bytes = |heading: &str| parse(&format!("model,{heading}\na,2\n")).map(|table| table.claims[0].memory_bytes);
        assert_eq!(bytes("memory_gib"), Ok(Some(2.0 * 1024f64.powi(3))));
        assert_eq!(bytes("메모리 GB"), Ok(Some(2e9)));
        assert_eq!(bytes("VRAM"), Err(TableError::NoUnit("VRAM".into())));
    }

    #[test]
    fn what_is_no_number_is_told() {
        let table = parse("model,tok/s\na,OOM\nb,nan\nc,-3\nd,inf\n").unwrap();
        let unread: Vec<&str> = table.claims.iter().flat_map(|claim| &claim.unread).map(String::as_str).collect();
        assert_eq!(unread, ["OOM", "nan", "-3", "inf"].map(|cell| format!("`{cell}` is no number")));
        assert!(table.claims.iter().all(|claim| claim.tokens_per_second.is_none()));
    }

    #[test]
    fn a_table_without_the_needed_columns_is_refused() {
        assert_eq!(parse("a,b\n1,2\n"), Err(TableError::NoModel("`a`, `b`".into())));
        assert_eq!(parse("model,b\n1,2\n"), Err(TableError::NoFigures("`model`, `b`".into())));
        assert_eq!(parse("model,tok/s\n"), Err(TableError::Empty));
        assert!(matches!(parse(""), Err(TableError::NoModel(_))));
    }

    #[test]
    fn a_short_line_does_no_harm_and_a_long_one_is_not_read() {
        let table = parse("model,tok/s\na\nb,1,,\nc,19,03\n").unwrap();
        let speeds: Vec<_> = table.claims.iter().map(|claim| claim.tokens_per_second).collect();
        assert_eq!(speeds, [None, Some(1.0), None]);
        assert_eq!(table.claims[2].unread, ["it has 3 cells and the headings are 2"]);
    }

    #[test]
    fn a_decimal_comma_is_never_taken_for_thousands() {
        let table = parse("model,tok/s,VRAM MB\na,\"19,03\",\"4.496,57\"\nb,\"18,638\",\"6.047,93\"\n").unwrap();
        let speeds: Vec<_> = table.claims.iter().map(|claim| claim.tokens_per_second).collect();
        assert_eq!(speeds, [Some(19.03), Some(18.638)]);
        assert_eq!(table.claims[0].memory_bytes, Some(4_496_570_000.0));
        let open = parse("model,tok/s\na,\"1,019\"\nb,20\n").unwrap();
        assert_eq!(open.claims[0].tokens_per_second, None);
        assert!(open.claims[0].unread[0].starts_with("`1,019` may have a decimal comma or not"));
        assert_eq!(open.claims[1].tokens_per_second, Some(20.0));
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        for separator in [";", "\t"] {
            let table = parse(&format!("모델{separator}속도 (tok/s)\na{separator}19,03\n")).unwrap();
            assert_eq!(table.claims[0].tokens_per_second, Some(19.03), "{separator}");
        }
    }

    #[test]
    fn a_cell_may_state_its_unit() {
        let table = parse("model,speed (tok/s),VRAM\na,19.03 tok/s,4.5 GB\nb,20,5000MB\n").unwrap();
        let memory: Vec<_> = table.claims.iter().map(|claim| claim.memory_bytes).collect();
        assert_eq!(memory, [Some(4.5e9), Some(5e9)]);
        assert_eq!(table.claims[0].tokens_per_second, Some(19.03));
        // A time is no speed.
        let time = parse("model,tok/s\na,19 ms\n").unwrap();
        assert_eq!(time.claims[0].unread, ["`19 ms` is no number"]);
    }
}
