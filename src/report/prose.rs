//! Sentences, wrapped between words at the terminal's width, with what belongs to the line above indented.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// One paragraph. Its own leading spaces are kept, and what is wrapped goes two further in.
pub(super) fn paragraph(text: &str, width: Option<usize>) -> String {
    let body = text.trim_start();
    let indent = text.len() - body.len();
    let Some(width) = width else { return text.to_owned() };
    let room = width.saturating_sub(indent + 2).max(20);
    let mut table = Table::new();
    table.load_style(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(room).unwrap_or(u16::MAX));
    table.add_row([body]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0));
    }
    let lines: Vec<String> = table
        .lines()
        .enumerate()
        .map(|(index, line)| format!("{:indent$}{}{}", "", if index == 0 { "" } else { "  " }, line.trim_end()))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_hang_below_their_first() {
        assert_eq!(
            paragraph("  gemma-ko-7b: takes 17.1 GiB, limit 16.0 GiB", Some(30)),
            "  gemma-ko-7b: takes 17.1\n    GiB, limit 16.0 GiB"
        );
    }

    #[test]
    fn without_a_width_nothing_is_wrapped() {
        let long = "word ".repeat(100);
        assert_eq!(paragraph(&long, None), long);
    }
}
