//! A grid of columns that never wraps a number: what does not fit beside the others goes into a further table below, with
//! the naming columns repeated.

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentLineStyle, LineStyle, TableStyle, Width};

use super::page::{Align, Cell, Column, Role, Table};

/// Blank columns between two columns.
const GAP: usize = 2;

/// A rule under the heading and nothing else: numbers in aligned columns need no lines between them.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());

/// A name is wrapped rather than pushing numbers out of the window, but not into fewer columns than this.
const NARROWEST_NAME: usize = 10;

/// One table or several, separated by blank lines, none of them wider than `width` if that can be.
pub(super) fn render(table: &Table, width: Option<usize>, color: bool) -> String {
    let grid = Grid {
        names: table.names.iter().map(Measured::new).collect(),
        columns: table.columns.iter().map(Measured::new).collect(),
        rows: table.rows(),
    };
    let tables = grid.balanced(width);
    let rendered: Vec<String> =
        tables.iter().enumerate().map(|(index, columns)| grid.table(columns, index == 0, width, color)).collect();
    rendered.join("\n\n")
}

/// What a terminal shows of a cell.
fn shown(cell: &Cell) -> String {
    match cell.role {
        Role::Tied => format!("={}", cell.text),
        Role::Plain | Role::Picked | Role::Dimmed => cell.text.clone(),
    }
}

/// A column and the terminal columns of its widest cell; a Hangul syllable takes two.
struct Measured<'t> {
    column: &'t Column,
    width: usize,
}

impl<'t> Measured<'t> {
    fn new(column: &'t Column) -> Self {
        let mut table = comfy_table::Table::new();
        table.set_header([&column.heading]);
        table.add_rows(column.cells.iter().map(|cell| [shown(cell)]));
        let width = table.column_max_content_widths().first().copied().map_or(0, usize::from);
        Self { column, width }
    }
}

struct Grid<'t> {
    /// Columns that name the row. The first may be wrapped.
    names: Vec<Measured<'t>>,
    columns: Vec<Measured<'t>>,
    rows: usize,
}

impl<'t> Grid<'t> {
    /// As few tables as the width allows, as narrow as that number allows: else the last may be left a single column.
    fn balanced(&self, width: Option<usize>) -> Vec<Vec<&Measured<'t>>> {
        let Some(width) = width else { return self.pack(usize::MAX) };
        let fewest = self.pack(width).len();
        let narrowest = (1..width).find(|narrower| self.pack(*narrower).len() == fewest);
        self.pack(narrowest.unwrap_or(width))
    }

    /// Fills one table after the other, in order. A table holds at least one set of joined columns, however narrow.
    fn pack(&self, width: usize) -> Vec<Vec<&Measured<'t>>> {
        let names = width_of_all(&self.names);
        let mut tables: Vec<Vec<&Measured>> = vec![Vec::new()];
        let mut used = names;
        for group in self.columns.chunk_by(|_, next| next.column.joined) {
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

    fn table(&self, columns: &[&Measured], first: bool, width: Option<usize>, color: bool) -> String {
        let columns: Vec<&Measured> = self.names.iter().chain(columns.iter().copied()).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE).force_no_tty();
        if color {
            table.enforce_styling();
        }
        table.set_header(columns.iter().map(|Measured { column, .. }| {
            comfy_table::Cell::new(&column.heading).set_alignment(aligned(column.align)).add_attribute(Attribute::Bold)
        }));
        for row in (0..self.rows).filter(|row| first || !self.is_dimmed(*row)) {
            table.add_row(
                columns.iter().filter_map(|Measured { column, .. }| Some(styled(column.cells.get(row)?, column.align))),
            );
        }
        let last = columns.len().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { GAP as u16 }));
        }
        let beside: usize = columns.iter().skip(1).map(|column| GAP + column.width).sum();
        if let (Some(width), Some(name)) = (width, table.column_mut(0)) {
            let room = u16::try_from(width.saturating_sub(beside).max(NARROWEST_NAME)).unwrap_or(u16::MAX);
            name.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room)));
        }
        table.trim_fmt()
    }

    /// Whether a row has nothing to show in further tables.
    fn is_dimmed(&self, row: usize) -> bool {
        let mut names = self.names.iter().filter_map(|name| name.column.cells.get(row));
        names.any(|cell| cell.role == Role::Dimmed)
    }
}

fn styled(cell: &Cell, align: Align) -> comfy_table::Cell {
    let styled = comfy_table::Cell::new(shown(cell)).set_alignment(aligned(align));
    match cell.role {
        Role::Picked => styled.fg(Color::Green).add_attribute(Attribute::Bold),
        Role::Dimmed => styled.add_attribute(Attribute::Dim),
        Role::Plain | Role::Tied => styled,
    }
}

fn aligned(align: Align) -> CellAlignment {
    match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    }
}

/// Terminal columns of columns side by side.
fn width_of_all(columns: &[Measured]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}
