//! The documents say what is true: their commands parse, their files parse, their queries run, their links lead somewhere, and
//! what they show the program printing it prints.
//!
//! `results/synthetic` and `results/two-models` are the runs that the documents show. `cargo test --test it documents -- --ignored`
//! writes what is made of them anew, after the words of a report were changed; a run itself is in its `run.json` and stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ::bench::catalog::{Budget, Catalog, Requirements};
use ::bench::cli::Cli;
use ::bench::report;
use ::bench::store::Store;
use ::bench::suite;
use clap::{CommandFactory, Parser};
use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::fixture;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A document and where it stands.
struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn name(&self) -> String {
        self.path.strip_prefix(ROOT).unwrap().display().to_string()
    }
}

/// Every document in the repository that people read.
fn documents() -> Vec<Document> {
    let root = Path::new(ROOT);
    let of_folder = |folder: PathBuf| {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect::<Vec<_>>()
    };
    // In `results` may also lie what somebody exported.
    let mut paths =
        [of_folder(root.into()), of_folder(root.join("docs")), vec![root.join("results/README.md")]].concat();
    paths.sort();
    let document = |path: PathBuf| Document { text: std::fs::read_to_string(&path).unwrap(), path };
    paths.into_iter().map(document).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A fenced block of a document: its language and its lines.
struct Block {
    language: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some(Block { language: language.trim().into(), text: String::new() }),
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fenced block is not closed");
    blocks
}

/// The blocks of one language in all documents, each with its document's name.
fn in_language(language: &str) -> Vec<(String, String)> {
    let of = |document: Document| {
        let blocks = blocks(&document.text).into_iter().filter(|block| block.language == language);
        blocks.map(|block| (document.name(), block.text)).collect::<Vec<_>>()
    };
    documents().into_iter().flat_map(of).collect()
}

/// The words of a shell command, up to its end: single and double quotes, comments, and what the next command begins
/// with. Variables set in front of the program are left out.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#' | '|' | '>' | ';') if word.is_none() => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is not closed in `{line}`");
    words.extend(word);
    let variable = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    words.into_iter().skip_while(variable).collect()
}

/// What follows the program's name, of a line that runs it.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let arguments = match words.as_slice() {
        ["bench", arguments @ ..] | ["cargo", "run", "--release", "--", arguments @ ..] => arguments,
        _ => return None,
    };
    Some(arguments.iter().map(|word| (*word).to_owned()).collect())
}

/// A line of a document that runs the program.
struct Command {
    document: String,
    line: String,
    arguments: Vec<String>,
}

/// All of them. In `sh` every line is a command; in `console` those after a prompt are, and the others are what is printed; in a
/// workflow those that a step runs.
fn commands() -> Vec<Command> {
    let mut commands = Vec::new();
    for document in documents() {
        for block in blocks(&document.text) {
            let command = |line| match block.language.as_str() {
                "sh" => Some(line),
                "console" => str::strip_prefix(line, "$ "),
                "yaml" => str::trim_start(line).trim_start_matches("- ").strip_prefix("run: "),
                _ => None,
            };
            for line in block.text.lines().filter_map(command) {
                let Some(arguments) = arguments(line) else { continue };
                commands.push(Command { document: document.name(), line: line.to_owned(), arguments });
            }
        }
    }
    commands
}

/// What stands between backticks in the sentences of a document, also over the end of a line.
fn spans(document: &str) -> Vec<String> {
    let prose = document.split("```").step_by(2).collect::<String>();
    prose.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_command_parses() {
    let commands = commands();
    assert!(commands.len() > 40, "only {} commands were found", commands.len());
    for Command { document, line, arguments } in commands {
        let parsed = Cli::try_parse_from(std::iter::once("bench".to_owned()).chain(arguments));
        assert!(parsed.is_ok(), "{document}: `{line}`: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_command_that_a_sentence_names_exists_with_its_options() {
    let mut found = 0;
    for document in documents() {
        for span in spans(&document.text) {
            let Some(arguments) = arguments(&span).filter(|_| span.starts_with("bench ")) else { continue };
            let mut command = Cli::command();
            command.build();
            for word in &arguments {
                if let Some(subcommand) = command.find_subcommand(word) {
                    command = subcommand.clone();
                } else if let Some(option) = word.strip_prefix("--").and_then(|word| word.split('=').next()) {
                    let known = command.get_arguments().any(|argument| argument.get_long() == Some(option));
                    assert!(known, "{}: `{span}`: there is no `--{option}`", document.name());
                }
            }
            assert_ne!(command.get_name(), "bench", "{}: `{span}` is no command", document.name());
            found += 1;
        }
    }
    assert!(found > 40, "only {found} were found");
}

#[test]
fn every_subcommand_has_an_example() {
    let commands = commands();
    for subcommand in Cli::command().get_subcommands() {
        let name = subcommand.get_name();
        let shown = commands.iter().any(|command| command.arguments.first().is_some_and(|first| first == name));
        assert!(shown, "`bench {name}` is not shown");
    }
}

#[test]
fn the_readme_lists_every_subcommand() {
    let listed: BTreeSet<String> = read("README.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `bench ")?.split_once('`')?.0.to_owned()))
        .collect();
    let known: BTreeSet<String> =
        Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_file_that_is_shown_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = in_language("toml");
    let mut prompts = 0;
    for (document, text) in &files {
        // The first line is a comment with the file's path.
        let path = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_else(|| panic!("{text}"));
        let path = PathBuf::from(path);
        if path == Path::new("models.toml") {
            let catalog =
                Catalog::parse(&path, text, Path::new(".")).unwrap_or_else(|error| panic!("{document}: {error}"));
            assert!(!catalog.candidates.is_empty());
        } else {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            prompts += 1;
        }
    }
    assert!(files.len() >= prompts + 2);
    let suites = suite::read(&folder.path().join("my-prompts")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(suites.len(), prompts);
}

#[test]
fn every_key_of_the_requirements_is_explained() {
    let page = read("docs/models.md");
    let budget = Budget { krw_per_month: 1.0, krw_per_gpu_hour: 1.0, requests_per_month: 1.0 };
    let requirements = Requirements { budget: Some(budget), ..Requirements::default() };
    let keys = serde_json::to_value(requirements).unwrap();
    let budget = keys["budget"].as_object().unwrap();
    for key in keys.as_object().unwrap().keys().chain(budget.keys()) {
        assert!(page.contains(&format!("`{key}`")), "`{key}` is not explained");
    }
}

#[test]
fn every_query_runs_on_a_results_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("bench.db")).unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let queries = in_language("sql");
    assert!(!queries.is_empty());
    for (document, query) in queries {
        let rows = connection.prepare(&query).and_then(|mut statement| statement.query([])?.next().map(|_| ()));
        assert_eq!(rows, Ok(()), "{document}: {query}");
    }
}

// Links.

/// The names by which a document's headings can be linked to, as GitHub makes them.
fn anchors(document: &str) -> BTreeSet<String> {
    let prose = document.split("```").step_by(2).collect::<String>();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut found = 0;
    for document in documents() {
        let prose = document.text.split("```").step_by(2).collect::<String>();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { document.path.clone() } else { document.path.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: `{target}` leads nowhere", document.name());
            if !anchor.is_empty() {
                let there = std::fs::read_to_string(&path).unwrap();
                assert!(anchors(&there).contains(anchor), "{}: `{target}`: no such heading", document.name());
            }
            found += 1;
        }
    }
    assert!(found > 100, "only {found} links were found");
}

/// The code has the table for those who read it, the page for those who read about it.
#[test]
fn the_architecture_has_the_stages_of_the_code() {
    let code = read("src/lib.rs");
    let rows = |line: &'static str| move |text: &str| text.strip_prefix(line).map(str::to_owned);
    let of_code: Vec<String> =
        code.lines().filter_map(rows("//! |")).map(|row| row.replace("[`", "`").replace("`]", "`")).collect();
    let page = read("ARCHITECTURE.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| stage |")).take_while(|line| line.starts_with('|'));
    assert_eq!(table.filter_map(rows("|")).collect::<Vec<_>>(), of_code);
}

#[test]
fn the_index_has_every_page() {
    let index = read("docs/README.md");
    for document in documents() {
        let name = document.path.file_name().unwrap().to_str().unwrap();
        let is_page = document.path.starts_with(Path::new(ROOT).join("docs")) && name != "README.md";
        assert!(!is_page || index.contains(&format!("]({name})")), "`{name}` is missing");
    }
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    assert!(read("README.md").lines().count() <= 200);
}

// What the program prints.

const EXAMPLE: &str = "results/synthetic";

/// The runs that the README shows, and the command that stands in its marks.
const EXAMPLES: [(&str, &str); 2] =
    [(EXAMPLE, "compare --synthetic"), ("results/two-models", "compare --models two-models.toml")];

/// What is made of an example's run, and the command that makes it.
const MADE: [(&str, &str); 4] = [
    ("table.txt", "export --format table"),
    ("run.json", "export --format json"),
    ("run.csv", "export --format csv"),
    ("run.md", "export --format markdown"),
];

/// Where the commands of the documents can run: the run of an example is the latest, and the files are there that they name.
fn with_the_example(example: &str) -> Bench {
    let bench = Bench::new();
    let run = report::json::read(&read(&format!("{example}/run.json"))).unwrap();
    Store::open(bench.path("results/bench.db")).unwrap().create_run(&run).unwrap();
    for table in ["published.csv", "before_and_after.csv"] {
        let text = std::fs::read(fixture(&format!("audit/{table}"))).unwrap();
        bench.write(&format!("tests/fixtures/audit/{table}"), text);
    }
    bench
}

/// Asserts that a text has these lines, one after another; `…` stands for lines that are left out.
#[track_caller]
fn assert_shows(shown: &str, printed: &str, name: &str) {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let parts: Vec<&[&str]> = shown.split(|line| *line == "…").collect();
    let mut from = 0;
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let starts = if index == 0 { 0..=0 } else { from + 1..=printed.len() };
        let at = starts.into_iter().find(|at| printed[*at..].starts_with(part));
        let at = at.unwrap_or_else(|| panic!("{name} shows\n{}\nof\n{}", part.join("\n"), printed.join("\n")));
        from = at + part.len();
    }
    let is_cut = parts.last().is_some_and(|part| part.is_empty());
    let rest = &printed[from..];
    assert_eq!(is_cut, !rest.is_empty(), "{name}: whether it leaves out what follows,\n{}", rest.join("\n"));
}

/// Commands whose output is the same wherever they run, given the example's run; the others' is of a machine, or needs a model.
const SAME_EVERYWHERE: [&str; 4] = ["plan", "audit", "recommend", "export"];

#[test]
fn what_the_documents_show_is_what_is_printed() {
    let bench = with_the_example(EXAMPLE);
    let mut compared = BTreeSet::new();
    for (document, block) in in_language("console") {
        for session in format!("\n{block}").split("\n$ ").skip(1) {
            let (line, shown) = session.split_once('\n').unwrap_or((session, ""));
            let command = arguments(line).and_then(|arguments| arguments.into_iter().next()).unwrap_or_default();
            if !SAME_EVERYWHERE.contains(&command.as_str()) || shown.is_empty() {
                continue;
            }
            let ran = bench.run(line.strip_prefix("bench ").unwrap());
            assert_shows(shown, &ran.stdout, &format!("{document}: `{line}`"));
            compared.insert(command);
        }
    }
    assert!(compared.len() >= 3, "only of {compared:?}");
}

#[test]
fn the_readme_shows_the_runs_that_are_stored() {
    let readme = read("README.md");
    for (example, command) in EXAMPLES {
        let (_, rest) = readme.split_once(&format!("<!-- output of {command} -->")).expect("a mark");
        let (shown, _) = rest.split_once(&format!("<!-- end of output of {command} -->")).expect("a mark");
        let shown = &blocks(shown)[0].text;
        assert_shows(shown, &read(&format!("{example}/table.txt")), "README.md");
        assert!(shown.lines().count() > 12);
    }
}

#[test]
fn the_stored_runs_are_exported_as_they_are_stored() {
    for (example, _) in EXAMPLES {
        let bench = with_the_example(example);
        for (file, command) in MADE {
            let (printed, kept) = (bench.run(command).exits(0).stdout, read(&format!("{example}/{file}")));
            let is_equal = match file {
                "run.json" => {
                    serde_json::from_str::<Value>(&printed).unwrap() == serde_json::from_str::<Value>(&kept).unwrap()
                }
                _ => printed == kept,
            };
            assert!(is_equal, "{example}/{file} is not what `bench {command}` prints");
        }
    }
}

#[test]
fn the_stored_runs_satisfy_the_schema() {
    let schema: Value = serde_json::from_str(&read("schemas/run.schema.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for (example, _) in EXAMPLES {
        let document: Value = serde_json::from_str(&read(&format!("{example}/run.json"))).unwrap();
        let complaints: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(complaints.is_empty(), "{example}: {complaints:?}");
    }
}

#[test]
#[ignore = "writes what is made of each example's run.json anew"]
fn write_the_examples() {
    for (example, _) in EXAMPLES {
        let bench = with_the_example(example);
        for (file, command) in MADE {
            std::fs::write(Path::new(ROOT).join(example).join(file), bench.run(command).exits(0).stdout).unwrap();
        }
    }
}

#[test]
fn what_is_left_out_is_told_from_what_is_wrong() {
    let printed = "a\nb\nc\nd\n";
    for shown in ["a\nb\nc\nd\n", "a\n…\nd\n", "a\nb\n…\n", "…\nc\nd\n", "…\nb\n…\n"] {
        assert_shows(shown, printed, "");
    }
    for shown in [
        "a\n",
        "b\n…\n",
        "a\n…\nb\n",
        "a\nx\n…\n",
        "a\n…\nb\n…\n",
        "a\nb\nc\nd\n…\n",
        "…\nd\n…\nc\n…\n",
        "a\nb\nc\nd\ne\n",
    ] {
        assert!(std::panic::catch_unwind(|| assert_shows(shown, printed, "")).is_err(), "{shown}");
    }
}

#[test]
fn words_end_where_the_shell_ends_them() {
    let all = |line| words(line).join("·");
    assert_eq!(all("bench run m --prompt '대한민국의 수도는?'  # asks"), "bench·run·m·--prompt·대한민국의 수도는?");
    assert_eq!(all("HF_TOKEN=hf_x bench pull a | jq '.'"), "bench·pull·a");
    assert_eq!(all("bench compare --require ttft_seconds=1"), "bench·compare·--require·ttft_seconds=1");
}
