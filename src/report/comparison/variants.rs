//! What a change does: the variants of one candidate, before and after, and the answers whose verdict it flipped.

use crate::answer::Answer;
use crate::compare::{FigureChange, Flip, InTurn, RateChange, TEXT, VariantChange, VariantComparison};
use crate::quality::Divergence;
use crate::report::page::{Align, Block, Column, Form, Item, Table};
use crate::summarize::Interval;
use crate::units::{Change, Known, Rate, Share, UNKNOWN, counted};

/// Flips that a screen shows.
const MOST_FLIPS: usize = 10;

/// Characters of an answer that a screen shows.
const MOST_CHARACTERS: usize = 160;

/// A table for each variant but the first, with what there is to say of it; nothing of a run of anything else.
pub(super) fn blocks(answer: &Answer, form: Form) -> Vec<Block> {
    let Some(comparison) = &answer.variants else { return Vec::new() };
    comparison.changes.iter().flat_map(|change| change_blocks(answer, comparison, change, form)).collect()
}

fn change_blocks(answer: &Answer, comparison: &VariantComparison, change: &VariantChange, form: Form) -> Vec<Block> {
    let value = |row: &str| {
        let row = answer.run.rows.iter().find(|known| known.candidate.row() == row);
        let variant = row.and_then(|row| row.candidate.variant.as_ref());
        variant.map_or_else(String::new, ToString::to_string)
    };
    let (before, after) = (value(&comparison.before), value(&change.after));
    let heading = Block::Heading(format!("What {} {before} → {after} changes", comparison.axis));
    let mut blocks =
        vec![heading, Block::Table(table(change, &before, &after)), Block::List(remarks(comparison, change, &before))];
    if !change.flips.is_empty() {
        blocks.push(Block::Heading(flipped(change)));
        blocks.extend(match form {
            Form::Screen => vec![Block::List(short(&change.flips, &before, &after))],
            Form::Document => change.flips.iter().map(|flip| whole(flip, &before, &after)).collect(),
        });
    }
    blocks
}

/// A line of the table.
struct Line {
    prompts: String,
    figure: String,
    before: String,
    after: String,
    change: String,
    interval: String,
}

fn table(change: &VariantChange, before: &str, after: &str) -> Table {
    // What a card would tell belongs into such a table also where there is none.
    let figures = change.figures.iter().filter(|figure| figure.pairs > 0 || figure.work.as_deref() == Some(TEXT));
    let lines: Vec<Line> = figures.map(figure_line).chain(change.rates.iter().map(rate_line)).collect();
    let column = |heading: &str, align, cell: fn(&Line) -> &String| {
        Column::new(heading, align, lines.iter().map(|line| cell(line).as_str()))
    };
    Table {
        names: vec![
            column("prompts", Align::Left, |line| &line.prompts),
            column("figure", Align::Left, |line| &line.figure),
        ],
        columns: vec![
            column(before, Align::Right, |line| &line.before),
            column(after, Align::Right, |line| &line.after).joined(),
            column("change", Align::Right, |line| &line.change).joined(),
            column("95 % interval", Align::Right, |line| &line.interval).joined(),
        ],
    }
}

const NO_CHANGE: &str = "no change shown";

fn figure_line(figure: &FigureChange) -> Line {
    let value = |value: Option<f64>| match figure.figure.unit() {
        Some(unit) => Known(value.map(|value| unit.show_in_text(value))).to_string(),
        None => Known(value.map(Rate)).to_string(),
    };
    let change = match (figure.interval, figure.change) {
        (Some(_), Some(change)) if figure.is_shown() => Change(change).to_string(),
        (Some(_), _) => NO_CHANGE.to_owned(),
        (None, _) => UNKNOWN.to_owned(),
    };
    let interval = match (figure.interval, figure.needs) {
        (Some(Interval { low, high }), _) => between(Change(low), Change(high)),
        (None, Some(needs)) => format!("takes {needs} pairs, has {}", figure.pairs),
        (None, None) => UNKNOWN.to_owned(),
    };
    Line {
        prompts: figure
            .work
            .as_ref()
            .map_or(String::new(), |work| if work == TEXT { "texts".into() } else { work.clone() }),
        figure: figure.figure.label().to_owned(),
        before: value(figure.before),
        after: value(figure.after),
        change,
        interval,
    }
}

/// `-35.0 … -31.2 %`
fn between(low: Change, high: Change) -> String {
    let low = low.to_string();
    format!("{} … {high}", low.strip_suffix(" %").unwrap_or(&low))
}

fn rate_line(rate: &RateChange) -> Line {
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let share = |rate: &crate::summarize::Rate| Known(rate.share().map(Share)).to_string();
    Line {
        prompts: rate.language.name().to_owned(),
        figure: format!("{} of {}", rate.metric.label, rate.before.of),
        before: share(&rate.before),
        after: share(&rate.after),
        change: match rate.interval {
            Some(_) if rate.is_shown() => format!("{} points", points(rate.difference)),
            Some(_) => NO_CHANGE.to_owned(),
            None => UNKNOWN.to_owned(),
        },
        interval: match rate.interval {
            Some(Interval { low, high }) => format!("{} … {} points", points(low), points(high)),
            None => format!("takes {} prompts", Interval::NEEDS),
        },
    }
}

fn remarks(comparison: &VariantComparison, change: &VariantChange, before: &str) -> Vec<Item> {
    let in_turn = match comparison.in_turn {
        InTurn::PromptByPrompt => {
            "Trials alternated prompt by prompt, all variants in memory at once: memory is what each took as it was loaded."
        }
        InTurn::RoundByRound => {
            "Trials alternated round by round, each variant loaded again for its turn: memory did not suffice for all at once."
        }
    };
    let mut lines = vec![
        in_turn.to_owned(),
        "The intervals hold for all lines of all variants together (Holm); “no change shown” is where one holds 0."
            .to_owned(),
    ];
    for (language, Divergence { positions, mean_kl_nats, p999_kl_nats, same_top_share }) in &change.divergence {
        lines.push(format!(
            "{}: KL divergence {mean_kl_nats:.4} nats on average and {p999_kl_nats:.2} at the 99.9th percentile, the same token on \
             top in {} of {}, along the answers of {before}.",
            language.name(),
            Share(*same_top_share),
            counted(*positions, "place"),
        ));
    }
    if change.divergence.is_empty() && change.same_answers.of > 0 {
        lines.push(
            "How far the predictions are apart is not known: that takes both in memory at once, and engines that tell them.".to_owned(),
        );
    }
    let same = change.same_answers;
    if same.of > 0 {
        lines.push(format!("The same answer to the letter: {} of {}.", same.passed, same.of));
    }
    lines.into_iter().map(Item::from).collect()
}

/// `2 answers pass no more, 1 passes now`
fn flipped(change: &VariantChange) -> String {
    let gained = change.flips.iter().filter(|flip| flip.passes).count();
    let lost = change.flips.len() - gained;
    let verb = |count: usize| if count == 1 { "passes" } else { "pass" };
    format!("{} {} no more, {gained} {} that did not", counted(lost, "answer"), verb(lost), verb(gained))
}

/// Which prompt it is, and what the answer that fails breaks.
fn what(flip: &Flip) -> String {
    let language = flip.language.map(|language| format!(" {}", language.tag())).unwrap_or_default();
    let verdict = if flip.passes { "passes now, and failed" } else { "fails now" };
    let broken: Vec<String> = flip.broken.iter().map(|broken| format!("{}, {}", broken.rule, broken.reason)).collect();
    format!("{}{language} {}: {verdict}: {}", flip.suite, flip.prompt, broken.join("; "))
}

fn short(flips: &[Flip], before: &str, after: &str) -> Vec<Item> {
    let nested = |name: &str, text: &str| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = line.chars().take(MOST_CHARACTERS).collect();
        let more = if cut.len() < line.len() { " …" } else { "" };
        Item { text: format!("{name}: {cut}{more}"), nested: true }
    };
    let items = flips
        .iter()
        .take(MOST_FLIPS)
        .flat_map(|flip| [Item::from(what(flip)), nested(before, &flip.before), nested(after, &flip.after)]);
    let more = flips.len().saturating_sub(MOST_FLIPS);
    let rest = (more > 0).then(|| Item::from(format!("and {more} more: bench export --format markdown")));
    items.chain(rest).collect()
}

fn whole(flip: &Flip, before: &str, after: &str) -> Block {
    let answer = |name: &str, text: &str| [Block::Paragraph(name.to_owned()), Block::Verbatim(text.to_owned())];
    Block::Fold {
        title: what(flip),
        blocks: [answer(before, &flip.before), answer(after, &flip.after)].into_iter().flatten().collect(),
    }
}
