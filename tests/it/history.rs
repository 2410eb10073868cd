//! `bench history`: the stored runs, and one metric's course over them.

use crate::snapshot;
use crate::support::bench::Bench;

fn two_runs() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    for _ in 0..2 {
        bench.run("compare --local llama-gqa --prompts prompts").exits(0);
    }
    bench
}

#[test]
fn the_list_of_runs() {
    let bench = two_runs();
    snapshot!("history", bench.run("history").exits(0));
    let last = bench.run("history --last 1").exits(0);
    assert_eq!(last.stdout.lines().count(), 3, "{last}");
    let latest = bench.export("latest")["run"]["id"].as_str().unwrap().to_owned();
    last.answers(&latest);
}

#[test]
fn the_course_of_a_metric() {
    let bench = two_runs();
    snapshot!("history_metric", bench.run("history --metric ttft_seconds").exits(0));
    let speed = bench.run("history --metric decode_tokens_per_second --suite count").exits(0);
    assert_eq!(speed.stdout.matches("pp16+tg4").count(), 2, "{speed}");
    speed.never_mentions("text");
    let apart = bench.run("history --metric characters_per_second").exits(0);
    apart.answers("text, ko").answers("text, en");
}
