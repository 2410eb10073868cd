//! Sentences, wrapped between words at the terminal's width, with what belongs to the line above indented.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use super::table::Layout;

/// One paragraph. Its own leading spaces are kept, and what is wrapped goes two further in.
pub(super) fn paragraph(text: &str, layout: &Layout) -> String {
    let body = text.trim_start();
    let indent = text.len() - body.len();
    let Some(width) = layout.width else { return text.to_owned() };
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

/// `other programs (rustc, ld)`, by whichever names are known.
pub(super) fn other_programs(names: &[String]) -> String {
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("other programs{names}")
}

/// In bold, where colours are on.
pub(super) fn bold(text: &str, layout: &Layout) -> String {
    if layout.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_hang_below_their_first() {
        let layout = Layout { width: Some(30), color: false };
        assert_eq!(
            paragraph("  gemma-ko-7b: takes 17.1 GiB, limit 16.0 GiB", &layout),
            "  gemma-ko-7b: takes 17.1\n    GiB, limit 16.0 GiB"
        );
    }

    #[test]
    fn without_a_width_nothing_is_wrapped() {
        let long = "word ".repeat(100);
        assert_eq!(paragraph(&long, &Layout { width: None, color: false }), long);
    }
}
