//! Chat templates that harm, that cannot be used, and that ask for the day.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::bench::Bench;

/// A checkpoint whose chat template lies in a file of its own.
fn with_template(template: &str) -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    bench.write("llama-gqa/chat_template.jinja", template);
    bench
}

/// The same with other fields in `tokenizer_config.json`.
fn with_settings(change: impl FnOnce(&mut Value)) -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    let file = "llama-gqa/tokenizer_config.json";
    let mut settings: Value = serde_json::from_slice(&std::fs::read(bench.path(file)).unwrap()).unwrap();
    change(&mut settings);
    bench.write(file, settings.to_string());
    bench
}

/// Grow without end, by steps that the interpreter counts.
const COUNTED: [&str; 5] = [
    "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s='a' * 999) %}{% for i in range(60) %}{% set n.s = n.s|replace('a', 'a' * 999) %}{% endfor %}{{ n.s }}",
    "{% set s = 'a' * 999999 %}{{ range(99999)|join(s) }}",
    "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}{% endfor %}{{ n.s }}",
    "{% set x = range(99999)|list %}{% for i in range(99999) %}{% set y = x|sum %}{% endfor %}",
];

/// A list that holds itself twice, sixty times over: one step writes 2⁶⁰ texts.
const GROWING: &str = "{% set n = namespace(l=['a' * 999]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}\
                       {% set s = n.l|string %}{{ s }}";

/// One step compares as many, and takes no memory for it.
const ENDLESS: &str = "{% set n = namespace(l=['a'], m=['a']) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}\
                       {% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}";

#[test]
fn a_template_that_grows_or_runs_without_end_fails_with_what_is_wrong() {
    let fails = |template: &str, cause: &str| {
        let ran = with_template(template).run("run llama-gqa --prompt hi --max-new-tokens 2").exits(2);
        assert!(ran.stdout.is_empty(), "{ran}");
        ran.says("error: could not render the chat template\n")
            .says(&format!("cause: the template {cause}"))
            .says("hint: get the checkpoint's own chat template");
    };
    COUNTED.iter().for_each(|template| fails(template, "does not end in reasonable time or length: "));
    fails(GROWING, "takes more than 256 MiB of memory\n");
    fails(ENDLESS, "takes longer than 5 s\n");
}

/// Token ids and texts as they stand go into no template.
#[test]
fn a_template_that_is_not_used_does_no_harm() {
    let bench = with_template(GROWING);
    bench.run("run llama-gqa --ids [1,2] --max-new-tokens 1").exits(0);
    bench.run("run llama-gqa --raw --prompt hi --max-new-tokens 1").exits(0);
    let ran = bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    assert_eq!(bench.export("latest")["run"]["rows"][0]["outcome"]["status"], "ran", "{ran}");
}

#[test]
fn a_hostile_template_fails_its_own_row_and_no_other() {
    let bench = with_template(GROWING);
    bench.checkpoint("qwen2-tied", "before");
    bench.checkpoint("qwen2-tied", "after");
    let line = "compare --local before --local llama-gqa --local after --prompts prompts --suite greeting --repeat 1 --warmup 0";
    bench
        .run(line)
        .exits(1)
        .says("llama-gqa: could not render the chat template: the template takes more than 256 MiB");
    let outcomes = || {
        let run = bench.export("latest");
        let rows = run["run"]["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["outcome"]["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(), ["ran", "failed", "ran"]);
    bench.run("compare --resume --prompts prompts").exits(1);
    assert_eq!(outcomes(), ["ran", "failed", "ran"]);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_template_at_once() {
    let bench = with_template(ENDLESS);
    let mut running = bench.start("run llama-gqa --prompt hi");
    while !running.has_child() {
        assert!(!running.has_ended());
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("INT");
    let ran = running.finish().exits(2);
    assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
}

/// Whatever the day and the zone are: Llama 3.2's and Mi:dm's templates put the day into the system message.
#[test]
fn todays_prompts_are_those_of_yesterday() {
    let template = "{{ strftime_now('%d %b %Y') }}|{{ messages[-1].content }}";
    let line = "run llama-gqa --prompt 안녕 --max-new-tokens 1 --format json";
    let ids = |bench: Bench, line: &str| bench.run(line).exits(0).json()["prompt_token_ids"].clone();
    let usual = ids(with_template(template), line);
    assert_eq!(usual, ids(with_template("01 Jan 2026|{{ messages[-1].content }}"), line));
    for zone in ["Pacific/Kiritimati", "Etc/GMT+12"] {
        assert_eq!(usual, ids(with_template(template).variable("TZ", zone), line), "{zone}");
    }
    let leap = ids(with_template(template), &format!("{line} --today 2024-02-29"));
    assert_eq!(leap, ids(with_template("29 Feb 2024|{{ messages[-1].content }}"), line));
    assert_ne!(leap, usual);
    with_template(template).run("run llama-gqa --prompt hi --today 2026-02-29").exits(2).says("--today");
}

#[test]
fn the_day_is_stored_with_the_run_and_taken_from_there() {
    let bench = with_template("{{ strftime_now('%d %b %Y') }}|{{ messages[-1].content }}");
    let line = "compare --local llama-gqa --prompts prompts --suite greeting --repeat 1 --warmup 0";
    bench.run(&format!("{line} --today 2024-02-29")).exits(1);
    let (first, day) = (bench.export("latest"), json!("2024-02-29"));
    assert_eq!(first["run"]["settings"]["today"], day);
    let id = first["run"]["id"].as_str().unwrap();
    bench.run(&format!("compare --like {id} --prompts prompts")).exits(0);
    assert_eq!(bench.export("latest")["run"]["settings"]["today"], day);
    bench.run("baseline save").exits(0);
    bench.run(line).exits(1);
    assert_eq!(bench.export("latest")["run"]["settings"]["today"], "2026-01-01");
    let ran = bench.run("check --prompts prompts").exits(2);
    assert!(format!("{ran}").contains("day that chat templates are told was 2024-02-29 and is 2026-01-01"), "{ran}");
}

#[test]
fn prompts_without_a_usable_template_are_joined_plainly_with_a_word() {
    let none = with_settings(|settings| drop(settings.as_object_mut().unwrap().remove("chat_template")));
    let named = with_settings(|settings| {
        settings["chat_template"] = json!([{ "name": "chat", "template": "X" }, { "name": "rag", "template": "Y" }]);
    });
    for (bench, why) in [
        (none, "it has no chat template"),
        (named, "none of its chat templates is named `default`, but `chat`, `rag`"),
        (with_template("{{ raise_exception('not for you') }}"), "its chat template refuses: "),
        (with_template("{{ messages.missing.part }}"), "its chat template refuses: "),
    ] {
        let line = "run llama-gqa --system 'Be kind.' --prompt 안녕 --max-new-tokens 1 --format json";
        let ran = bench
            .run(line)
            .exits(0)
            .says(&format!("warning: llama-gqa: the texts of a prompt are joined plainly, {why}"));
        let plain =
            bench.run("run llama-gqa --raw --prompt 'Be kind.\n\n안녕' --max-new-tokens 1 --format json").exits(0);
        assert_eq!(ran.json()["prompt_token_ids"], plain.json()["prompt_token_ids"]);
        assert!(plain.stderr.is_empty(), "{plain}");

        let compared =
            bench.run("compare --local llama-gqa --prompts prompts --suite greeting --repeat 1 --warmup 0").exits(1);
        compared.answers(&format!("llama-gqa: the texts of a prompt were joined plainly, {why}"));
        let export = bench.export("latest");
        let notes = export["notes"].as_array().unwrap();
        let note = notes.iter().find(|note| note["kind"] == "joined_plainly").unwrap();
        assert!(note["subject"] == "llama-gqa" && note["reason"].as_str().unwrap().starts_with(why), "{note}");

        // Nobody is asked in text.
        let counted = bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
        counted.never_mentions("joined plainly");
    }
}

/// A form that models.toml states is as good as a template.
#[test]
fn a_stated_form_is_no_plain_one() {
    let bench = with_settings(|settings| drop(settings.as_object_mut().unwrap().remove("chat_template")));
    bench.write(
        "models.toml",
        "[[candidate]]\nid = \"base\"\nlocal = \"llama-gqa\"\nprompt_format = { template = \"Q: {prompt}\" }\n",
    );
    let ran =
        bench.run("compare --models models.toml --prompts prompts --suite greeting --repeat 1 --warmup 0").exits(0);
    ran.never_mentions("joined plainly");
}
