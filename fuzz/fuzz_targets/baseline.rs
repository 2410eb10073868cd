//! A baseline's file, judged against itself and written again.
#![no_main]

use bench::compare::{Asked, Baseline, check};
use bench::report::check::{json, junit, markdown, page};
use bench::report::{Form, Renderer, Terminal};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(baseline) = Baseline::from_text(text) else { return };
    let Ok(again) = Baseline::from_text(&baseline.to_text()) else { panic!("what was written is not read") };
    for paired in [false, true] {
        let asked = Asked::new(&[], &["latency=10%".into()], paired).expect("a tolerance");
        let check = check(&baseline, &again.digest, &asked);
        let _ = Terminal { width: Some(80), color: false }.render(&page(&check, Form::Screen));
        let _ = (markdown::render(&check), junit::render(&check), json::render(&check).expect("JSON"));
    }
});
