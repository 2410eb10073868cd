//! `models.toml`, and a file of prompts.
#![no_main]

use std::path::Path;

use bench::catalog::Catalog;
use bench::plan::{Choices, Schedule};
use bench::suite;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = Catalog::parse(Path::new("models.toml"), text, Path::new(".")) {
        let _ = (error.to_string(), error.hint());
    }
    for file in ["text/ko/greeting.toml", "tokens/count.toml"] {
        let path = bench_fuzz::folder().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("making it");
        bench_fuzz::write(file, text.as_bytes());
        let root = bench_fuzz::folder().join(file.split('/').next().expect("a folder"));
        if let Ok(suites) = suite::read(&root) {
            let _ = Schedule::of(&suites, &Choices::default()).least();
        }
    }
});
