//! `bench recommend`: a stored run under other requirements.

use crate::snapshot;
use crate::support::bench::Bench;

/// A small and a large checkpoint, both measured, under requirements that both meet.
fn compared() -> Bench {
    let bench = Bench::with(&["llama-gqa", "llama-wide"]);
    bench.write(
        "models.toml",
        "[requirements]\nmemory_gib = 4.0\nlicences = [\"mit\"]\n\
         [[candidate]]\nid = \"small\"\nlocal = \"llama-gqa\"\nlicence = \"mit\"\n\
         [[candidate]]\nid = \"large\"\nlocal = \"llama-wide\"\nlicence = \"apache-2.0\"\n",
    );
    bench.run("compare --prompts prompts --suite greeting").exits(0).answers("Recommendation: small");
    bench
}

#[test]
fn other_requirements_are_another_answer() {
    let bench = compared();
    let again = snapshot!("recommend", bench.run("recommend").exits(0)).answers("Recommendation: small");
    let exported = bench.run("export --format table").exits(0);
    assert_eq!(again.stdout, exported.stdout, "under the run's own requirements it is the run's own table");
    bench.run("recommend --require licences=apache-2.0").exits(0).answers("Recommendation: large");
    bench.run("recommend --require licences=gemma").exits(1).answers("Recommendation: none");
    let miss = bench.run("recommend --require licences=none --require memory_gib=0.000001").exits(1);
    // Which of the two is nearer is the allocator's to say.
    let miss = miss.answers("Recommendation: none. No candidate meets the requirements.\nNearest miss: ");
    miss.answers("\nRejected:\n  small: takes ").answers("\n  large: takes ").answers(" times the limit");
    // Nothing was stored of all that.
    assert_eq!(bench.run("recommend").exits(0).stdout, again.stdout);
}

#[test]
fn the_requirements_of_another_file() {
    let bench = compared();
    bench.write("other.toml", "[requirements]\nlicences = [\"apache-2.0\"]\n");
    bench.run("recommend latest --models other.toml").exits(0).answers("Recommendation: large");
    let line = "recommend --models other.toml --require licences=mit";
    bench.run(line).exits(0).answers("Recommendation: small");
}

#[test]
fn an_earlier_run_is_found_by_the_beginning_of_its_id() {
    let bench = compared();
    let first = bench.export("latest")["run"]["id"].as_str().unwrap().to_owned();
    bench.run("compare --local llama-wide --prompts prompts --suite greeting --require licences=none").exits(0);
    bench.run("recommend").exits(0).answers("Recommendation: llama-wide");
    bench.run(&format!("recommend {first}")).exits(0).answers("Recommendation: small");
    let ambiguous = bench.run(&format!("recommend {}", &first[..4])).exits(2);
    ambiguous.says("could be any of 2 runs").says("give more of the id");
}
