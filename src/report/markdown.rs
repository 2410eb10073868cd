//! Pages as Markdown, for a comment on a pull request or a file.
//!
//! GitHub's dialect, <https://github.github.com/gfm/>. Nothing that a model, a file or a server said can end a cell, open
//! a tag or leave its code block.

use super::escape::{escaped, fenced, in_html};
use super::page::{Align, Block, Cell, Column, Item, Note, Page, Renderer, Role, Table};
use crate::answer::Severity;

/// The renderer.
#[derive(Debug, Clone, Copy)]
pub struct Markdown;

impl Renderer for Markdown {
    fn render(&self, page: &Page) -> String {
        blocks(&page.clone().printable().blocks) + "\n"
    }
}

/// One block by itself, without a line feed at its end.
pub(super) fn block(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("### {}", escaped(text)),
        Block::Heading(text) => format!("#### {}", escaped(text)),
        Block::Paragraph(text) => escaped(text).into_owned(),
        Block::Table(table) => self::table(table),
        Block::Note(note) => self::note(note),
        Block::List(items) => list(items),
        // The blank lines end GitHub's HTML blocks, so that Markdown counts again in between.
        Block::Fold { title, blocks } => {
            format!("<details>\n<summary>{}</summary>\n\n{}\n\n</details>", in_html(title), self::blocks(blocks))
        }
        Block::Verbatim(text) => fenced(text),
    }
}

fn blocks(blocks: &[Block]) -> String {
    let mut text = String::new();
    for (index, block) in blocks.iter().enumerate() {
        text.push_str(match (index.checked_sub(1).and_then(|before| blocks.get(before)), block) {
            (None, _) => "",
            // Notes that follow each other are one list.
            (Some(Block::Note(_)), Block::Note(_)) => "\n",
            (Some(_), _) => "\n\n",
        });
        text.push_str(&self::block(block));
    }
    text
}

fn list(items: &[Item]) -> String {
    // What belongs to the heading above a list is the list's own.
    let own = items.iter().take_while(|item| item.nested).count();
    let line = |(index, Item { text, nested }): (usize, &Item)| {
        let indent = if *nested && index >= own { "  " } else { "" };
        format!("{indent}- {}", escaped(text))
    };
    items.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn note(Note { severity, subject, mark, text }: &Note) -> String {
    let warning = if *severity == Severity::Warning { "**Warning:** " } else { "" };
    let mark = mark.map(|mark| format!("`{mark}` ")).unwrap_or_default();
    let subject = subject.as_ref().map(|subject| format!("{}: ", escaped(subject))).unwrap_or_default();
    format!("- {warning}{mark}{subject}{}", escaped(text))
}

fn table(table: &Table) -> String {
    let columns: Vec<&Column> = table.names.iter().chain(&table.columns).collect();
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    // A cell has one line.
    let headings = columns.iter().map(|column| escaped(&column.heading).into_owned());
    let rule = columns.iter().map(|column| match column.align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    });
    let rows = (0..table.rows())
        .map(|row| columns.iter().map(|column| column.cells.get(row).map(cell).unwrap_or_default()).collect());
    [headings.collect(), rule.collect()].into_iter().chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

fn cell(Cell { text, role }: &Cell) -> String {
    match role {
        Role::Plain | Role::Dimmed => escaped(text).into_owned(),
        Role::Picked => format!("**{}**", escaped(text)),
        Role::Tied => format!("={}", escaped(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str, nested: bool) -> Item {
        Item { text: text.into(), nested }
    }

    #[test]
    fn what_belongs_to_the_heading_above_a_list_is_not_indented() {
        let list = vec![item("score", true), item("Rejected:", false), item("c: <no> | a_b", true)];
        let page = Page::new([Block::Heading("Pick: a_b".into()), Block::List(list)]);
        assert_eq!(Markdown.render(&page), "#### Pick: a_b\n\n- score\n- Rejected:\n  - c: &lt;no&gt; \\| a_b\n");
    }

    #[test]
    fn notes_that_follow_each_other_are_a_list_with_their_marks() {
        let note = |severity, mark, text: &str| {
            Block::Note(Note { severity, subject: Some("a|b".into()), mark, text: text.into() })
        };
        let page = Page::new([note(Severity::Warning, None, "hot"), note(Severity::Info, Some("*"), "*random*")]);
        assert_eq!(Markdown.render(&page), "- **Warning:** a\\|b: hot\n- `*` a\\|b: \\*random\\*\n");
    }
}
