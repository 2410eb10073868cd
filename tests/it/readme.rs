//! The documents say what is true: their commands parse, their files parse, their queries run, their links lead somewhere.

use std::path::{Path, PathBuf};

use bench::catalog::{Budget, Catalog, Requirements};
use bench::cli::Cli;
use bench::store::Store;
use bench::suite;
use clap::{CommandFactory, Parser};

const README: &str = include_str!("../../README.md");

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

fn in_language(document: &str, language: &str) -> Vec<String> {
    blocks(document).into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
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

/// The lines of the README that run the program, with their arguments. In `sh` every line is a command; in `console`
/// those after a prompt are, and the others are what is printed; in a workflow those that a step runs.
fn commands() -> Vec<(String, Vec<String>)> {
    let blocks = blocks(README);
    let lines = blocks.iter().flat_map(|block| {
        let command = |line| match block.language.as_str() {
            "sh" => Some(line),
            "console" => str::strip_prefix(line, "$ "),
            "yaml" => str::trim_start(line).trim_start_matches("- ").strip_prefix("run: "),
            _ => None,
        };
        block.text.lines().filter_map(command)
    });
    lines.filter_map(|line| Some((line.to_owned(), arguments(line)?))).collect()
}

#[test]
fn every_command_of_the_readme_parses() {
    let commands = commands();
    assert!(commands.len() > 15, "only {} commands were found", commands.len());
    for (line, arguments) in commands {
        let parsed = Cli::try_parse_from(std::iter::once("bench".to_owned()).chain(arguments));
        assert!(parsed.is_ok(), "`{line}`: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_subcommand_has_an_example_in_the_readme() {
    let commands = commands();
    for subcommand in Cli::command().get_subcommands() {
        let name = subcommand.get_name();
        let shown = commands.iter().any(|(_, arguments)| arguments.first().is_some_and(|first| first == name));
        assert!(shown, "`bench {name}` is not shown");
    }
}

#[test]
fn every_file_that_the_readme_shows_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = in_language(README, "toml");
    for text in &files {
        // The first line is a comment with the file's path.
        let path = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_else(|| panic!("{text}"));
        let path = PathBuf::from(path);
        if path == Path::new("models.toml") {
            let catalog = Catalog::parse(&path, text, Path::new(".")).unwrap_or_else(|error| panic!("{error}"));
            assert!(!catalog.candidates.is_empty());
        } else {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
    let suites = suite::read(&folder.path().join("my-prompts")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(suites.len(), files.len() - 1);
}

#[test]
fn every_key_of_the_requirements_is_explained() {
    let budget = Budget { krw_per_month: 1.0, krw_per_gpu_hour: 1.0, requests_per_month: 1.0 };
    let requirements = Requirements { budget: Some(budget), ..Requirements::default() };
    let keys = serde_json::to_value(requirements).unwrap();
    let budget = keys["budget"].as_object().unwrap();
    for key in keys.as_object().unwrap().keys().chain(budget.keys()) {
        assert!(README.contains(&format!("`{key}`")), "`{key}` is not explained");
    }
}

#[test]
fn every_query_of_the_readme_runs_on_a_results_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("bench.db")).unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let queries = in_language(README, "sql");
    assert!(!queries.is_empty());
    for query in queries {
        let rows = connection.prepare(&query).and_then(|mut statement| statement.query([])?.next().map(|_| ()));
        assert_eq!(rows, Ok(()), "{query}");
    }
}

/// Every document, with the folder that its links start from.
fn documents() -> Vec<(String, &'static str)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_folder = |folder: &'static str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let documents = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        documents.map(move |path| (std::fs::read_to_string(path).unwrap(), folder)).collect::<Vec<_>>()
    };
    let documents = [of_folder("."), of_folder("docs")].concat();
    assert!(documents.len() > 5);
    documents
}

#[test]
fn every_link_between_the_documents_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (document, folder) in documents() {
        let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let path = target.split('#').next().unwrap_or_default();
            assert!(root.join(folder).join(path).exists(), "`{target}` leads nowhere");
        }
    }
}

#[test]
fn words_end_where_the_shell_ends_them() {
    let all = |line| words(line).join("·");
    assert_eq!(all("bench run m --prompt '대한민국의 수도는?'  # asks"), "bench·run·m·--prompt·대한민국의 수도는?");
    assert_eq!(all("HF_TOKEN=hf_x bench pull a | jq '.'"), "bench·pull·a");
    assert_eq!(all("bench compare --require ttft_seconds=1"), "bench·compare·--require·ttft_seconds=1");
}
