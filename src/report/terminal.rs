//! Pages in a terminal: wrapped and split at its width, with marks, and with colours if it has any.

use super::grid;
use super::page::{Block, Item, Note, Page, Renderer};
use super::prose::paragraph;
use crate::answer::Severity;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Columns; `None` puts each row and sentence on one line, however long.
    pub width: Option<usize>,
    pub color: bool,
}

impl Terminal {
    /// A file: what fits a terminal, and its colours, mean nothing there.
    pub const FILE: Self = Self { width: None, color: false };

    fn block(&self, block: &Block) -> String {
        match block {
            Block::Title(text) | Block::Heading(text) => self.bold(&paragraph(text, self.width)),
            Block::Paragraph(text) => paragraph(text, self.width),
            Block::Table(table) => grid::render(table, self.width, self.color),
            Block::Note(note) => paragraph(&sentence(note), self.width),
            Block::List(items) => {
                let line = |item: &Item| {
                    let indent = if item.nested { "  " } else { "" };
                    paragraph(&format!("{indent}{}", item.text), self.width)
                };
                items.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            // A terminal cannot fold.
            Block::Fold { title, blocks } => {
                let heading = Block::Heading(title.clone());
                self.blocks(std::iter::once(&heading).chain(blocks))
            }
            Block::Verbatim(text) => text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"),
        }
    }

    fn blocks<'b>(&self, blocks: impl IntoIterator<Item = &'b Block>) -> String {
        let mut text = String::new();
        let mut before = None;
        for block in blocks {
            match before {
                None => {}
                Some(before) if belong_together(before, block) => text.push('\n'),
                Some(_) => text.push_str("\n\n"),
            }
            text.push_str(&self.block(block));
            before = Some(block);
        }
        text
    }

    fn bold(&self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Renderer for Terminal {
    fn render(&self, page: &Page) -> String {
        self.blocks(&page.clone().printable().blocks) + "\n"
    }
}

/// A heading and what it heads, and notes among themselves, have no blank line between them.
fn belong_together(before: &Block, block: &Block) -> bool {
    matches!((before, block), (Block::Heading(_), _) | (Block::Note(_), Block::Note(_)))
}

/// A note with its marks: `! ` before what makes figures doubtful.
fn sentence(note: &Note) -> String {
    let alarm = if note.severity == Severity::Warning { "! " } else { "" };
    let mark = note.mark.map(|mark| format!("{mark} ")).unwrap_or_default();
    let subject = note.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
    format!("{alarm}{mark}{subject}{}", note.text)
}
