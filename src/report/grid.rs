//! A grid of columns that never wraps a number: what does not fit beside the others goes into a further table below, with
//! the naming columns repeated.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentLineStyle, LineStyle};
use comfy_table::{Table, TableStyle, Width};

use super::table::Layout;

/// Blank columns between two columns.
const GAP: usize = 2;

/// A rule under the heading and nothing else: numbers in aligned columns need no lines between them.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());

/// A name is wrapped rather than pushing numbers out of the window, but not into fewer columns than this.
const NARROWEST_NAME: usize = 10;

/// A column with a cell for each row of the grid.
pub(super) struct Column {
    heading: String,
    align: Align,
    joined: bool,
    cells: Vec<String>,
    /// Terminal columns of the widest cell; a Hangul syllable takes two.
    width: usize,
}

impl Column {
    /// The heading may have two lines.
    pub(super) fn new(heading: impl Into<String>, align: Align, cells: Vec<String>) -> Self {
        let heading = heading.into();
        let mut table = Table::new();
        table.set_header([&heading]);
        table.add_rows(cells.iter().map(|cell| [cell]));
        let width = table.column_max_content_widths().first().copied().map_or(0, usize::from);
        Self { heading, align, joined: false, cells, width }
    }

    /// Stays in one table with the column before it.
    pub(super) fn joined(self) -> Self {
        Self { joined: true, ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// What a row of the grid is, beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// The recommended row.
    Pick,
    /// Nothing was measured: shown in the first table only.
    Empty,
}

pub(super) struct Grid {
    /// Columns that name the row. The first may be wrapped.
    pub names: Vec<Column>,
    pub columns: Vec<Column>,
    /// One for each row.
    pub tones: Vec<Tone>,
}

impl Grid {
    /// One table or several, separated by blank lines.
    pub(super) fn render(&self, layout: &Layout) -> String {
        let tables = self.balanced(layout.width);
        let rendered: Vec<String> =
            tables.iter().enumerate().map(|(index, columns)| self.table(columns, index == 0, layout)).collect();
        rendered.join("\n\n")
    }

    /// As few tables as the width allows, as narrow as that number allows: else the last may be left a single column.
    fn balanced(&self, width: Option<usize>) -> Vec<Vec<&Column>> {
        let Some(width) = width else { return self.pack(usize::MAX) };
        let fewest = self.pack(width).len();
        let narrowest = (1..width).find(|narrower| self.pack(*narrower).len() == fewest);
        self.pack(narrowest.unwrap_or(width))
    }

    /// Fills one table after the other, in order. A table holds at least one set of joined columns, however narrow.
    fn pack(&self, width: usize) -> Vec<Vec<&Column>> {
        let names = width_of_all(&self.names);
        let mut tables: Vec<Vec<&Column>> = vec![Vec::new()];
        let mut used = names;
        for group in self.columns.chunk_by(|_, next| next.joined) {
            let needed: usize = group.iter().map(|column| GAP + column.width).sum();
            let full = used.saturating_add(needed) > width;
            if full && tables.last().is_some_and(|table| !table.is_empty()) {
                tables.push(Vec::new());
                used = names;
            }
            used += needed;
            if let Some(table) = tables.last_mut() {
                table.extend(group);
            }
        }
        tables
    }

    fn table(&self, columns: &[&Column], first: bool, layout: &Layout) -> String {
        let columns: Vec<&Column> = self.names.iter().chain(columns.iter().copied()).collect();
        let mut table = Table::new();
        table.load_style(STYLE).force_no_tty();
        if layout.color {
            table.enforce_styling();
        }
        table.set_header(columns.iter().map(|column| {
            Cell::new(&column.heading).set_alignment(column.align.cell()).add_attribute(Attribute::Bold)
        }));
        for (row, tone) in self.tones.iter().enumerate().filter(|(_, tone)| first || **tone != Tone::Empty) {
            table.add_row(columns.iter().enumerate().map(|(index, column)| {
                let text = column.cells.get(row).map_or("", String::as_str);
                let cell = Cell::new(text).set_alignment(column.align.cell());
                match tone {
                    Tone::Pick if index == 0 => cell.fg(Color::Green).add_attribute(Attribute::Bold),
                    Tone::Empty => cell.add_attribute(Attribute::Dim),
                    Tone::Plain | Tone::Pick => cell,
                }
            }));
        }
        let last = columns.len() - 1;
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { GAP as u16 }));
        }
        let beside: usize = columns.iter().skip(1).map(|column| GAP + column.width).sum();
        if let (Some(width), Some(name)) = (layout.width, table.column_mut(0)) {
            let room = u16::try_from(width.saturating_sub(beside).max(NARROWEST_NAME)).unwrap_or(u16::MAX);
            name.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room)));
        }
        table.trim_fmt()
    }
}

impl Align {
    fn cell(self) -> CellAlignment {
        match self {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        }
    }
}

/// Terminal columns of columns side by side.
fn width_of_all(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}
