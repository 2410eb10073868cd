//! `bench history`: the stored runs, and one metric's course over them.

use crate::snapshot;
use crate::support::bench::Bench;

fn two_runs() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    for _ in 0..2 {
        // What random weights say is worth nothing: the answer is no.
        bench.run("compare --local llama-gqa --prompts prompts").exits(1);
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

/// Other languages, longer answers and other prompts under the same name are other work.
#[test]
fn different_work_is_no_course() {
    let bench = Bench::with(&["llama-gqa"]);
    let run = |options: &str| {
        bench.run(&format!("compare --local llama-gqa --prompts prompts --suite greeting {options}")).exits(1)
    };
    run("--language en --max-new-tokens 8");
    run("--language en --max-new-tokens 4");
    run("--language ko --max-new-tokens 4");
    let ran = bench.run("history --metric ttft_seconds").exits(0);
    for course in ["greeting, en ≤ 8 tok", "greeting, en ≤ 4 tok", "greeting, ko ≤ 4 tok"] {
        assert_eq!(ran.stdout.matches(course).count(), 2, "a line at a glance, and one run: {ran}");
    }
}

#[test]
fn runs_on_another_number_of_threads_are_not_one_course() {
    let bench = Bench::with(&["llama-gqa"]);
    for threads in [1, 1, 2] {
        bench.run(&format!("compare --local llama-gqa --prompts prompts --suite count --threads {threads}")).exits(0);
    }
    let ran = bench.run("history --metric ttft_seconds").exits(0);
    ran.answers("TTFT over 3 runs, the first on ")
        .answers(" does not continue run ")
        .answers(": threads was 1 and is 2");
}

#[test]
fn the_course_of_a_metric() {
    let bench = two_runs();
    // Which run was the slower one, and the commit that this program is built from, differ.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[▁-█]{2}", "[course]");
    settings.add_filter(r"(:(?:\d\d|MM)Z)  \S+  #", "$1  [commit]  #");
    settings.bind(|| {
        snapshot!("history_metric", bench.run("history --metric ttft_seconds").exits(0));
    });
    let speed = bench.run("history --metric decode_tokens_per_second --suite count").exits(0);
    assert_eq!(speed.stdout.matches("pp16+tg4").count(), 3, "a line at a glance, and one for each run: {speed}");
    speed.never_mentions("text");
    let apart = bench.run("history --metric characters_per_second").exits(0);
    apart.answers("greeting, ko").answers("greeting, en");
}
