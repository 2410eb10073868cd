//! `bench review`: pairs of stored answers, one after the other, to a person who does not know whose they are.

use std::io::IsTerminal as _;

use console::{Key, Term};

use super::deliver::terminal;
use super::status::Status;
use crate::cli::{self, RunFormat};
use crate::clock;
use crate::error::Error;
use crate::record::{Choice, Review, Run};
use crate::report::Renderer;
use crate::report::review::{self, Reviews};
use crate::store::{self, Store};
use crate::summarize::{Pair, Reviewed, agreement, pairs, preferences};
use crate::toml_error::nearest;
use crate::ui::Printer;

pub(super) fn run(args: &cli::Review, printer: &Printer) -> Result<Status, Error> {
    let store = match args.summary {
        true => Store::open_to_read(store::database(&args.results.results))?,
        false => Store::open_existing(store::database(&args.results.results))?,
    };
    let run = store.load_run(&args.run)?;
    check_candidates(args, &run)?;
    let takes = |row: &str| {
        let is = |name: &String| {
            name == row || run.rows.iter().any(|of| of.candidate.row() == row && of.candidate.id == *name)
        };
        args.candidate.is_empty() || args.candidate.iter().any(is)
    };
    let is_asked_for = |pair: &Pair| {
        let key = &pair.left.trial.key;
        args.language.is_none_or(|language| key.language == Some(language))
            && args.suite.as_ref().is_none_or(|suite| key.suite == *suite)
    };
    let pairs: Vec<Pair> = pairs(&run, takes).into_iter().filter(is_asked_for).collect();
    if pairs.is_empty() {
        let hint = "review a run in which two candidates answered the same texts (bench compare)".to_owned();
        return Err(Error::usage(format!("run {} has no two different answers to a prompt to compare", run.id), hint));
    }
    let before = store.reviews(&run.id)?;
    let open: Vec<&Pair> = pairs.iter().filter(|pair| !before.iter().any(|review| pair.is_of(review))).collect();
    if !args.summary {
        ask(&store, &run, &open[..open.len().min(args.count.unwrap_or(usize::MAX))], printer)?;
    }
    let reviews: Vec<Review> =
        store.reviews(&run.id)?.into_iter().filter(|review| pairs.iter().any(|pair| pair.is_of(review))).collect();
    let reviewed = reviews.iter().filter_map(|review| {
        let pair = pairs.iter().find(|pair| pair.is_of(review))?;
        Some(Reviewed { review, pair })
    });
    let reviews = Reviews {
        schema_version: 1,
        run: run.id.clone(),
        reviewed: reviews.len(),
        left: pairs.len() - reviews.len(),
        preferences: preferences(&reviews),
        agreement: agreement(reviewed),
    };
    let text = match args.format {
        RunFormat::Json => review::json(&reviews)?,
        RunFormat::Text => terminal(printer).render(&review::page(&reviews)),
    };
    printer.answer(&text)?;
    Ok(Status::Yes)
}

fn check_candidates(args: &cli::Review, run: &Run) -> Result<(), Error> {
    let names: Vec<String> = run.rows.iter().flat_map(|row| [row.candidate.row(), row.candidate.id.clone()]).collect();
    let Some(unknown) = args.candidate.iter().find(|name| !names.contains(name)) else { return Ok(()) };
    let hint = match nearest(unknown, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its candidates are {}", names.join(", ")),
    };
    Err(Error::usage(format!("run {} has no candidate `{unknown}`", run.id), hint))
}

const KEYS: &str = "left: 1 or ←, right: 2 or →, tie: t, skip: s, end: q";

/// Shows pair after pair until the person ends it; each answer is stored before the next pair is shown.
fn ask(store: &Store, run: &Run, pairs: &[&Pair], printer: &Printer) -> Result<(), Error> {
    let mut keys = Keys::open();
    for (index, pair) in pairs.iter().enumerate() {
        let page = review::pair(pair, index + 1, pairs.len(), printer.width());
        printer.answer(&format!("{}\n", terminal(printer).render(&page.printable())))?;
        let choice = loop {
            printer.say(KEYS);
            match keys.next() {
                Said::Choice(choice) => break choice,
                Said::End => return Ok(()),
                Said::Nothing => {}
            }
        };
        store.add_review(&run.id, &pair.review(choice, clock::wall_time()))?;
    }
    Ok(())
}

/// What a key or a line says.
enum Said {
    Choice(Choice),
    End,
    Nothing,
}

/// Keys of a terminal, or the lines of a pipe.
enum Keys {
    Terminal(Term),
    Lines(std::io::Lines<std::io::StdinLock<'static>>),
}

impl Keys {
    fn open() -> Self {
        if std::io::stdin().is_terminal() {
            Self::Terminal(Term::stderr())
        } else {
            Self::Lines(std::io::stdin().lines())
        }
    }

    fn next(&mut self) -> Said {
        match self {
            Self::Terminal(terminal) => match terminal.read_key() {
                Ok(Key::ArrowLeft) => Said::Choice(Choice::Left),
                Ok(Key::ArrowRight) => Said::Choice(Choice::Right),
                Ok(Key::Char(letter)) => said(&letter.to_string()),
                // Ctrl-C comes as an error, or as a key of its own.
                Err(_) | Ok(Key::CtrlC | Key::Escape) => Said::End,
                Ok(_) => Said::Nothing,
            },
            Self::Lines(lines) => match lines.next() {
                Some(Ok(line)) => said(line.trim()),
                Some(Err(_)) | None => Said::End,
            },
        }
    }
}

fn said(word: &str) -> Said {
    match word.to_lowercase().as_str() {
        "1" | "l" | "left" => Said::Choice(Choice::Left),
        "2" | "r" | "right" => Said::Choice(Choice::Right),
        "t" | "=" | "tie" => Said::Choice(Choice::Tie),
        "s" | "skip" => Said::Choice(Choice::Skip),
        "q" | "quit" => Said::End,
        _ => Said::Nothing,
    }
}
