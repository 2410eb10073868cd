//! A page: what a report for people says, in blocks, before any renderer gives them a form.
//!
//! Nothing in it is escaped, coloured or cut to a width: that is a [`Renderer`]'s. A renderer leaves nothing out either; what a
//! page has is chosen where the page is made.

use std::borrow::Cow;

use crate::answer::Severity;
use crate::printable::printable;

/// Blocks in the order in which they are read.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub enum Block {
    /// The heading of the page.
    Title(String),
    /// The heading of what follows it.
    Heading(String),
    Paragraph(String),
    Table(Table),
    Note(Note),
    List(Vec<Item>),
    /// What only those read who look for it, under the title that they look for.
    Fold {
        title: String,
        blocks: Vec<Block>,
    },
    /// Text of somebody else's, of several lines perhaps.
    Verbatim(String),
}

/// A form for pages.
pub trait Renderer {
    /// The page as text that ends with a line feed.
    fn render(&self, page: &Page) -> String;
}

/// Where a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In a terminal, which is narrow and shows its end first.
    Screen,
    /// As a document, which begins at its beginning and has room.
    Document,
}

/// A sentence that must be known beside the figures.
#[derive(Debug, Clone)]
pub struct Note {
    pub severity: Severity,
    /// What it is about; `None` where that is all of the page.
    pub subject: Option<String>,
    /// The mark in cells that it explains.
    pub mark: Option<&'static str>,
    pub text: String,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub text: String,
    /// It belongs to the line above.
    pub nested: bool,
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self { text, nested: false }
    }
}

/// Columns side by side, with as many cells each.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Columns that name the row.
    pub names: Vec<Column>,
    pub columns: Vec<Column>,
}

/// A column with a cell for each row of its table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Of one line or two.
    pub heading: String,
    pub align: Align,
    /// Stays beside the column before it where a table is split.
    pub joined: bool,
    pub cells: Vec<Cell>,
}

/// On which side cells are flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A text and what it is in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub role: Role,
}

/// What a cell is, beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// The name of the recommended row.
    Picked,
    /// A figure that is not told apart from the best of its column.
    Tied,
    /// Of a row of which nothing more is to be shown.
    Dimmed,
}

impl Page {
    /// The same without what a terminal would obey: see [`printable`].
    pub fn printable(mut self) -> Self {
        self.blocks.iter_mut().for_each(Block::make_printable);
        self
    }

    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        Self { blocks: blocks.into_iter().collect() }
    }
}

impl Block {
    fn make_printable(&mut self) {
        let mend = |text: &mut String| {
            if let Cow::Owned(safe) = printable(text) {
                *text = safe;
            }
        };
        match self {
            Block::Title(text) | Block::Heading(text) | Block::Paragraph(text) | Block::Verbatim(text) => mend(text),
            Block::Table(table) => {
                for column in table.names.iter_mut().chain(&mut table.columns) {
                    mend(&mut column.heading);
                    column.cells.iter_mut().for_each(|cell| mend(&mut cell.text));
                }
            }
            Block::Note(note) => {
                mend(&mut note.text);
                note.subject.iter_mut().for_each(mend);
            }
            Block::List(items) => items.iter_mut().for_each(|item| mend(&mut item.text)),
            Block::Fold { title, blocks } => {
                mend(title);
                blocks.iter_mut().for_each(Block::make_printable);
            }
        }
    }

    /// A list of lines, each by itself; nothing of none.
    pub fn list(lines: Vec<String>) -> Option<Self> {
        (!lines.is_empty()).then(|| Self::List(lines.into_iter().map(Item::from).collect()))
    }
}

impl Column {
    pub fn new(heading: impl Into<String>, align: Align, cells: impl IntoIterator<Item = impl Into<Cell>>) -> Self {
        let cells = cells.into_iter().map(Into::into).collect();
        Self { heading: heading.into(), align, joined: false, cells }
    }

    /// The same, kept beside the column before it.
    pub fn joined(self) -> Self {
        Self { joined: true, ..self }
    }
}

impl Table {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.names.first().or(self.columns.first()).map_or(0, |column| column.cells.len())
    }

    /// Marks the name of a row as the recommended one's.
    pub fn pick(&mut self, row: usize) {
        if let Some(cell) = self.names.first_mut().and_then(|names| names.cells.get_mut(row)) {
            cell.role = Role::Picked;
        }
    }

    /// Marks a row as one of which nothing more is to be shown.
    pub fn dim(&mut self, row: usize) {
        let columns = self.names.iter_mut().chain(&mut self.columns);
        columns.filter_map(|column| column.cells.get_mut(row)).for_each(|cell| cell.role = Role::Dimmed);
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, role: Role::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
