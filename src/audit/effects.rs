//! A table of what changes did, as teams write it: a line for each metric with a figure before and after, and by how much that
//! is said to be better. Or a line for each state, with a column for each metric.

use std::collections::BTreeMap;

use super::columns::words;
use super::encoding::decode;
use super::error::TableError;
use super::figures::{self, Figure, Quantity};
use super::numbers::{self, Notation};

/// What a table says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Figures before and after a change; none of a table without such columns.
    pub(super) changes: Vec<Changed>,
    /// Figures that belong together: of one state of one system.
    pub(super) states: Vec<State>,
}

/// A line with a figure before and after.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed {
    pub what: String,
    pub before: Option<Figure>,
    pub after: Option<Figure>,
    /// The unit of both, for a sentence.
    pub unit: String,
    /// Both are shares in per cent, whose change may be told in points.
    pub percents: bool,
    pub stated: Option<Stated>,
    /// Why a cell was not read.
    pub unread: Vec<String>,
}

/// A change as it is stated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stated {
    pub figure: Figure,
    /// −1 where it says that something fell, 1 where it says that it rose.
    pub sign: Option<f64>,
    /// It is a factor (`2.5x`, `2배`), not a percentage.
    pub is_factor: bool,
}

/// The figures of one state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub name: String,
    pub figures: BTreeMap<Quantity, Figure>,
}

impl Effects {
    /// Reads CSV with a heading, as [`super::Table::read`] does.
    ///
    /// # Errors
    /// Bytes that are no text, or text that is no table.
    pub fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let decoded = decode(bytes)?;
        // The separator that gives the most headings; of equal ones the comma.
        let split = [b'\t', b';', b','].map(|separator| Sheet::split(&decoded.text, separator));
        let most = split.into_iter().max_by_key(|sheet| sheet.as_ref().map_or(0, |sheet| sheet.headings.len()));
        let sheet = most.unwrap_or(Err(TableError::Empty))?;
        Ok(match Sides::of(&sheet.headings) {
            Some(sides) => sheet.before_and_after(&sides),
            None => Self { changes: Vec::new(), states: sheet.by_line() },
        })
    }

    /// Whether it has columns for before and after.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// The text, cell by cell.
struct Sheet {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Where the columns of a table of before and after stand.
struct Sides {
    before: usize,
    after: usize,
    change: Option<usize>,
    unit: Option<usize>,
}

const BEFORE: [&str; 5] = ["before", "baseline", "전", "기존", "이전"];
const AFTER: [&str; 5] = ["after", "optimized", "후", "이후", "현재"];
/// Korean writes what was done and when in one word: 적용전, 최적화후.
const DONE: [&str; 11] = ["적용", "개선", "변경", "최적화", "도입", "전환", "양자화", "튜닝", "작업", "조치", "압축"];
const CHANGE: [&str; 12] = [
    "change",
    "improvement",
    "reduction",
    "increase",
    "diff",
    "delta",
    "gain",
    "speedup",
    "변화",
    "효과",
    "증감",
    "차이",
];
const CHANGE_RATES: [&str; 6] = ["개선율", "변화율", "감소율", "증가율", "절감률", "향상률"];
const UNIT: [&str; 2] = ["unit", "단위"];

impl Sides {
    fn of(headings: &[String]) -> Option<Self> {
        let words: Vec<Vec<String>> = headings.iter().map(|heading| words(heading)).collect();
        let find = |means: &dyn Fn(&str) -> bool| words.iter().position(|words| words.iter().any(|word| means(word)));
        let done = |word: &str, when: char| {
            word.strip_suffix(when).is_some_and(|what| DONE.iter().any(|done| what.ends_with(done)))
        };
        let before = find(&|word| BEFORE.contains(&word) || done(word, '전'))?;
        let after = find(&|word| AFTER.contains(&word) || done(word, '후'))?;
        let is_change = |word: &str| {
            CHANGE.contains(&word) || CHANGE_RATES.iter().any(|rate| word.starts_with(rate)) || word.starts_with("개선")
        };
        let change = (0..words.len())
            .find(|index| ![before, after].contains(index) && words[*index].iter().any(|word| is_change(word)));
        let unit = find(&|word| UNIT.contains(&word));
        (before != after).then_some(Self { before, after, change, unit })
    }
}

impl Sheet {
    fn split(text: &str, separator: u8) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(separator).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
        let failed = |error: csv::Error| TableError::Csv(error.to_string());
        let headings = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let rows: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.map(|record| record.iter().map(str::to_owned).collect()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        Ok(Self { headings, rows })
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].get(column).map_or("", String::as_str)
    }

    /// In which notation these columns write numbers; a point, where nothing tells.
    fn notation(&self, columns: &[usize]) -> Notation {
        let digits = |cell: &str| {
            let bare = cell.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let end = bare.rfind(|letter: char| letter.is_ascii_digit()).map_or(0, |last| last + 1);
            bare[..end].to_owned()
        };
        let cells: Vec<String> = columns
            .iter()
            .flat_map(|column| (0..self.rows.len()).map(|row| digits(self.cell(row, *column))))
            .filter(|cell| !cell.is_empty())
            .collect();
        let fit = numbers::fit(cells.iter().map(String::as_str));
        numbers::notation(fit, cells.iter().map(String::as_str), &[fit]).unwrap_or(Notation::Point)
    }

    fn before_and_after(&self, sides: &Sides) -> Effects {
        let used = [Some(sides.before), Some(sides.after), sides.change, sides.unit];
        let texts: Vec<usize> = (0..self.headings.len()).filter(|column| !used.contains(&Some(*column))).collect();
        let notation = self.notation(&[sides.before, sides.after]);
        // The metric stands in the column in which most cells mean a quantity; the others say of what it is.
        let unit = |row: usize| sides.unit.map(|column| self.cell(row, column)).unwrap_or_default();
        let quantity =
            |row: usize, column: usize| figures::quantity(&words(&format!("{} {}", self.cell(row, column), unit(row))));
        let meant = |column: usize| (0..self.rows.len()).filter(|row| quantity(*row, column).is_some()).count();
        let metric = texts.iter().copied().max_by_key(|column| meant(*column));
        let mut changes = Vec::new();
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        for row in 0..self.rows.len() {
            let text = |column: usize| self.cell(row, column);
            let named: Vec<&str> = texts.iter().map(|column| text(*column)).filter(|text| !text.is_empty()).collect();
            let [before, after] = [sides.before, sides.after].map(text);
            if before.is_empty() && after.is_empty() {
                continue;
            }
            let unit = unit(row);
            let changed = changed(&named, unit, [before, after], sides.change.map(text), notation);
            let of = metric.and_then(|column| Some((text(column), quantity(row, column)?)));
            if let Some((metric, quantity)) = of {
                let others: Vec<&str> = named.iter().filter(|name| **name != metric).copied().collect();
                let told = format!("{metric} {unit}");
                let cells = [before, after].into_iter().zip([sides.before, sides.after]);
                for (cell, column) in cells {
                    let names = others.iter().copied().chain([self.headings[column].as_str()]);
                    let name = names.collect::<Vec<_>>().join(", ");
                    let state = states.entry(name.clone()).or_insert(State { name, figures: BTreeMap::new() });
                    state.add(quantity, cell, &told, notation);
                }
            }
            changes.push(changed);
        }
        Effects { changes, states: states.into_values().collect() }
    }

    /// A state a line: its name is the first cell that is no number.
    fn by_line(&self) -> Vec<State> {
        let quantities: Vec<(usize, Quantity, Notation)> = (0..self.headings.len())
            .filter_map(|column| {
                let quantity = figures::quantity(&words(&self.headings[column]))?;
                Some((column, quantity, self.notation(&[column])))
            })
            .collect();
        let state = |row: usize| {
            let mut cells = self.rows[row].iter().enumerate();
            let name =
                cells.find(|(column, cell)| !cell.is_empty() && !quantities.iter().any(|(other, ..)| other == column));
            let name = name.map_or_else(|| format!("line {}", row + 2), |(_, cell)| cell.clone());
            let mut state = State { name, figures: BTreeMap::new() };
            for (column, quantity, notation) in &quantities {
                state.add(*quantity, self.cell(row, *column), &self.headings[*column], *notation);
            }
            state
        };
        (0..self.rows.len()).map(state).collect()
    }
}

fn changed(named: &[&str], unit: &str, cells: [&str; 2], change: Option<&str>, notation: Notation) -> Changed {
    let mut unread = Vec::new();
    let mut units = Vec::new();
    let mut percents = true;
    let mut read = |cell: &str| match figures::read(cell, notation) {
        Some((figure, words, percent)) => {
            percents &= percent || unit.contains('%');
            units.push(words);
            Some(figure)
        }
        None => {
            unread.extend((!cell.is_empty()).then(|| format!("`{cell}` is no number")));
            None
        }
    };
    let [before, after] = cells.map(&mut read);
    // 900 ms and 1.2 s are figures of two units: nobody said in which the change is.
    let differ = units.first().is_some_and(|first| units.iter().any(|other| other != first));
    if differ {
        unread.push(format!("`{}` and `{}` are of different units", cells[0], cells[1]));
    }
    let stated = change.filter(|cell| !cell.is_empty()).and_then(|cell| {
        let stated = stated(cell);
        if stated.is_none() {
            unread.push(format!("`{cell}` is no change"));
        }
        stated
    });
    let (before, after) = if differ { (None, None) } else { (before, after) };
    Changed { what: named.join(", "), before, after, unit: unit.to_owned(), percents, stated, unread }
}

/// `-25 %`, `25% 감소`, `2.5x`, `2배`.
fn stated(cell: &str) -> Option<Stated> {
    let (figure, unit, percent) = figures::read(cell, Notation::Point)?;
    let factor = |word: &String| matches!(word.as_str(), "x" | "배" | "times") || word.starts_with('배');
    let is_factor = !percent && (unit.iter().any(factor) || cell.contains('×'));
    (percent || is_factor || unit.is_empty()).then(|| Stated { figure, sign: figures::sign(cell), is_factor })
}

impl State {
    fn add(&mut self, quantity: Quantity, cell: &str, told: &str, notation: Notation) {
        let Some((figure, unit, percent)) = figures::read(cell, notation) else { return };
        // The cell's own unit goes before that of its heading.
        let told_words = words(told);
        let percent = percent || told.contains('%');
        let Some(scale) =
            figures::scale(quantity, &unit, percent).or_else(|| figures::scale(quantity, &told_words, percent))
        else {
            return;
        };
        let figure = Figure { value: figure.value * scale, rounding: figure.rounding * scale, ..figure };
        self.figures.entry(quantity).or_insert(figure);
    }
}
