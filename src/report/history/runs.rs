//! The list of runs.

use jiff::tz::TimeZone;

use super::{minute, table};
use crate::store::RunHead;
use crate::units::Seconds;

/// The list of runs, in the order given. `width` is the terminal's, if it goes to one.
pub fn runs(heads: &[RunHead], zone: &TimeZone, width: Option<u16>) -> String {
    let mut table = table(["run", "started", "took", "candidates", "trials", "device"], &[2, 3, 4], width);
    for head in heads {
        let took = head.finished_at.map(|end| Seconds(end.duration_since(head.started_at).as_secs_f64()));
        table.add_row([
            head.id.clone(),
            minute(head.started_at, zone),
            took.map_or("not finished".into(), |took| took.to_string()),
            head.candidates.to_string(),
            head.trials.to_string(),
            head.device_name.clone(),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_runs() {
        let head = |id: &str, finished_at: Option<&str>, trials| RunHead {
            id: id.into(),
            started_at: "2026-11-20T05:17:33Z".parse().expect("a timestamp"),
            finished_at: finished_at.map(|at| at.parse().expect("a timestamp")),
            candidates: 10,
            trials,
            device_name: "예시 GPU".into(),
        };
        let heads =
            [head("20261120-051733-4f2a", Some("2026-11-20T05:21:00Z"), 1200), head("20261120-051733-4f2b", None, 0)];
        let seoul = TimeZone::fixed(jiff::tz::offset(9));
        insta::assert_snapshot!(runs(&heads, &seoul, None), @r"
         run                    started                    took   candidates   trials   device
        ─────────────────────────────────────────────────────────────────────────────────────────
         20261120-051733-4f2a   2026-11-20 14:17     3 min 27 s           10     1200   예시 GPU
         20261120-051733-4f2b   2026-11-20 14:17   not finished           10        0   예시 GPU
        ");
    }
}
