//! History: the stored runs, and one metric's course over them.

mod course;
mod runs;
mod series;
mod sparkline;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use course::course;
pub use runs::runs;

fn table<const N: usize>(headings: [&str; N], right_aligned: &[usize], width: Option<u16>) -> Table {
    let mut table = Table::new();
    // One rule under the head: a history is long, and every further line of it is one run less on the screen.
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(headings);
    for index in right_aligned {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
