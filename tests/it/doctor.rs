//! `bench doctor`: what this machine and build have.

use crate::support::bench::Bench;

#[test]
fn each_thing_has_a_line_and_each_problem_a_way_out() {
    let ran = Bench::new().run("doctor").exits(0);
    let mut named = Vec::new();
    let mut lines = ran.stdout.lines().peekable();
    while let Some(line) = lines.next() {
        let (mark, rest) = line.split_at(2);
        named.push(rest.split_whitespace().next().unwrap().to_owned());
        let advised = lines.next_if(|next| next.contains('→')).is_some();
        assert_eq!(mark == "! ", advised, "`{line}`: {ran}");
    }
    assert_eq!(named, ["build", "cpu", "memory", "gpu", "hub", "token", "cache", "results"], "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
}

#[test]
fn the_environment_is_reported_and_the_token_is_not() {
    let ran = Bench::new()
        .variable("HF_TOKEN", "hf_secret")
        .variable("HF_ENDPOINT", "https://hub.example")
        .variable("HF_HOME", "cache-folder")
        .variable("HF_HUB_OFFLINE", "1")
        .run("doctor --results elsewhere")
        .exits(0);
    ran.answers("https://hub.example, offline")
        .answers("unset HF_HUB_OFFLINE")
        .answers("set (not shown)")
        .answers("cache-folder/hub")
        .answers("elsewhere")
        .never_mentions("hf_secret");
}

#[test]
fn settings_that_cannot_be_used_are_a_problem_with_a_way_out() {
    let bench = Bench::new().variable("HF_ENDPOINT", "no address");
    bench.run("doctor").exits(0).answers("! hub").answers("set `HF_ENDPOINT` to an address");
    bench.write("file", "");
    bench.run("doctor --results file/results").exits(0).answers("! results").answers("--results");
}

#[test]
fn a_look_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.run("doctor").exits(0);
    assert!(std::fs::read_dir(bench.path(".")).unwrap().next().is_none());
}

/// Of a container of 4 GiB with 0.2 GiB in use beside page cache 3.8 GiB are free, and one that is full has none, however much
/// the machine has.
#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_a_container_is_what_its_limit_leaves() {
    const GIB: u64 = 1 << 30;
    let bench = Bench::new();
    bench.host.limits_memory(4 * GIB, 4 * GIB - (100 << 20), 4 * GIB - (300 << 20));
    bench.run("doctor").exits(0).answers("16.0 GiB, limited to 4.00 GiB, 3.80 GiB free");
    bench.host.limits_memory(4 * GIB, 4 * GIB, 0);
    bench.run("doctor").exits(0).answers("16.0 GiB, limited to 4.00 GiB, 0 B free");
}
