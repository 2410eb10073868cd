//! The plan: what each candidate needs on a GPU, how fast it can be, and the basis of every figure.

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Page, Table};
use crate::hardware::GpuSpec;
use crate::metric::{DECODE, TTFT};
use crate::plan::{
    BANDWIDTH_SHARE, FIXED_SECONDS, OPERATIONS_SHARE, Outlook, PREFILL_CHUNK, SERVED_CACHE_BYTES, Transfer, Workload,
};
use crate::units::{Bytes, Change, Count, Known, Rate, Seconds, Share, UNKNOWN};

/// What is reported.
pub struct Outlooks<'a> {
    pub gpu: &'a GpuSpec,
    pub workload: Workload,
    pub rows: &'a [Outlook],
    /// By which the fitted speeds are.
    pub fit: Option<&'a Transfer>,
    /// What a run says that cannot be carried here.
    pub elsewhere: Option<&'a str>,
}

/// Raised when a reader of the version before could misread the document.
const SCHEMA_VERSION: u64 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u64,
    gpu: &'a GpuSpec,
    context_tokens: u64,
    concurrency: u64,
    basis: serde_json::Map<String, serde_json::Value>,
    fit: Option<&'a Transfer>,
    rows: &'a [Outlook],
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(plan: &Outlooks) -> Result<String, ReportError> {
    let basis = basis(plan).into_iter().map(|(what, text)| (what.to_owned(), text.into()));
    let document = Document {
        schema_version: SCHEMA_VERSION,
        gpu: plan.gpu,
        context_tokens: plan.workload.context,
        concurrency: plan.workload.chats,
        basis: basis.collect(),
        fit: plan.fit,
        rows: plan.rows,
    };
    super::json::line("the plan", &document)
}

/// A line for each candidate and layout; an empty field is unknown, or does not apply.
///
/// # Errors
/// What the encoder gives.
pub fn csv(plan: &Outlooks) -> Result<String, ReportError> {
    super::csv::of_records(plan.rows)
}

/// A table and notes for a person.
pub fn page(plan: &Outlooks) -> Page {
    let rows = plan.rows;
    let mut table = Table { names: names(rows), columns: [memory(rows), speed(plan)].concat() };
    rows.iter().enumerate().filter(|(_, row)| row.fits != Some(true)).for_each(|(index, _)| table.dim(index));
    let reasons = rows.iter().filter_map(|row| Some(format!("{}: {}", row.candidate, row.reason.as_ref()?)));
    let mut notes: Vec<String> = reasons.collect();
    notes.dedup();
    notes.extend(basis(plan).into_iter().map(|(what, text)| format!("{}: {text}", what.replace('_', " "))));
    notes.extend(plan.elsewhere.map(str::to_owned));
    Page::new([Block::Title(title(plan)), Block::Table(table)].into_iter().chain(Block::list(notes)))
}

fn title(plan: &Outlooks) -> String {
    let (gpu, chats) = (plan.gpu, plan.workload.chats);
    let price = gpu.price.as_ref().map(|price| format!(", ${} an hour", price.usd_per_hour)).unwrap_or_default();
    let memory = Bytes(gpu.memory_bytes());
    let chats = if chats == 1 { "one chat".to_owned() } else { format!("{chats} chats") };
    format!(
        "{}: {memory}, {} GB/s{price}; {chats} of {} tokens",
        gpu.id,
        gpu.bandwidth_gb_s,
        Count(plan.workload.context)
    )
}

fn names(rows: &[Outlook]) -> Vec<Column> {
    vec![
        column("candidate", Align::Left, rows, |row| row.candidate.clone()),
        column("layout", Align::Left, rows, |row| row.quantization.clone()),
    ]
}

fn memory(rows: &[Outlook]) -> Vec<Column> {
    let bytes = |of: fn(&Outlook) -> Option<u64>| move |row: &Outlook| Known(of(row).map(Bytes)).to_string();
    let fits = |row: &Outlook| match row.spare_bytes {
        None => UNKNOWN.to_owned(),
        Some(spare) if spare < 0 => format!("no, lacks {}", Bytes(spare.unsigned_abs())),
        Some(spare) => format!("yes, {} free", Bytes(spare.unsigned_abs())),
    };
    vec![
        column("weights", Align::Right, rows, bytes(|row| row.weights_bytes)),
        column("cache", Align::Right, rows, bytes(|row| row.kv_cache_bytes)).joined(),
        column("activations", Align::Right, rows, bytes(|row| row.activation_bytes)).joined(),
        column("total", Align::Right, rows, bytes(|row| row.total_bytes)).joined(),
        column("fits", Align::Left, rows, fits).joined(),
        column("longest\ncontext", Align::Right, rows, |row| count(row.longest_context_tokens)),
        column("most\nchats", Align::Right, rows, |row| count(row.most_chats)).joined(),
    ]
}

fn speed(plan: &Outlooks) -> Vec<Column> {
    let rows = plan.rows;
    let range = |low: Option<f64>, high: Option<f64>, show: fn(f64) -> String| {
        Known(low.zip(high).map(|(low, high)| format!("{} – {}", show(low), show(high)))).to_string()
    };
    let rate = |value: f64| Rate(value).to_string();
    let seconds = |value: f64| Seconds(value).to_string();
    let each = if plan.workload.chats == 1 { "" } else { " a chat" };
    let mut columns = vec![
        column(format!("{}\n{}{each}", DECODE.label, DECODE.unit.symbol()), Align::Left, rows, |row| {
            range(row.decode_tokens_per_second_low, row.decode_tokens_per_second_high, rate)
        }),
        column(TTFT.label, Align::Left, rows, |row| range(row.ttft_seconds_low, row.ttft_seconds_high, seconds))
            .joined(),
    ];
    if plan.fit.is_some() {
        let fitted = |row: &Outlook| Known(row.fitted_decode_tokens_per_second.map(Rate)).to_string();
        columns.push(column("fitted\ntok/s", Align::Right, rows, fitted).joined());
    }
    if rows.iter().any(|row| row.measured_run.is_some()) {
        columns.extend(measured(rows, range, rate));
    }
    columns
}

/// Measured beside estimated, of the measured work.
fn measured(
    rows: &[Outlook],
    range: impl Fn(Option<f64>, Option<f64>, fn(f64) -> String) -> String,
    rate: fn(f64) -> String,
) -> Vec<Column> {
    let error = |error: Option<f64>| Known(error.map(Change)).to_string();
    vec![
        column("measured\ntok/s", Align::Right, rows, |row| {
            Known(row.measured_decode_tokens_per_second.map(Rate)).to_string()
        }),
        column("estimated\nfor it", Align::Left, rows, |row| {
            range(row.estimated_decode_tokens_per_second_low, row.estimated_decode_tokens_per_second_high, rate)
        })
        .joined(),
        column("error", Align::Right, rows, |row| error(row.decode_error)).joined(),
        column("measured\nmemory", Align::Right, rows, |row| Known(row.measured_memory_bytes.map(Bytes)).to_string()),
        column("error", Align::Right, rows, |row| error(row.memory_error)).joined(),
    ]
}

fn count(number: Option<u64>) -> String {
    Known(number.map(Count)).to_string()
}

fn column(heading: impl Into<String>, align: Align, rows: &[Outlook], cell: impl Fn(&Outlook) -> String) -> Column {
    Column::new(heading, align, rows.iter().map(cell))
}

/// What each figure rests on, by the names of the JSON.
fn basis(plan: &Outlooks) -> Vec<(&'static str, String)> {
    let gpu = plan.gpu;
    let source = match (&gpu.source, &gpu.date) {
        (Some(source), Some(date)) => format!(" ({source}, {date})"),
        (Some(source), None) => format!(" ({source})"),
        _ => String::new(),
    };
    let share = |share: f64| Share(share).to_string();
    let mut basis = vec![
        (
            "memory",
            format!(
                "usable is what the driver reports, {} MiB; the CUDA context and what the engine's libraries take are not \
                 counted",
                gpu.memory_mib
            ),
        ),
        (
            "weights",
            "counted from the config's shape; `stored` from the headers of the files. nf4 and int8 are bitsandbytes', the \
             others as bench holds them: embeddings and head in q6_k under 6 bits"
                .to_owned(),
        ),
        (
            "cache",
            format!(
                "{} bits a number, as serving engines hold it (bench's own engine holds 32), in each layer for the whole \
                 context or for its window",
                8 * SERVED_CACHE_BYTES
            ),
        ),
        (
            "activations",
            format!(
                "MLP and logits of a pass over {PREFILL_CHUNK} prompt tokens, in float32; of latent attention the scores too"
            ),
        ),
        (
            "decode",
            format!(
                "at the full context; high: bytes of a step ÷ {} GB/s, which nothing can exceed{source}; low: {} a step and \
                 {} of that bandwidth, below the published rates of tuned engines; an engine that is bound by its host \
                 is slower still",
                gpu.bandwidth_gb_s,
                Seconds(FIXED_SECONDS),
                share(BANDWIDTH_SHARE)
            ),
        ),
        (
            "ttft",
            format!(
                "of a prompt that fills the context, alone; low: at the dense peak of the fastest units that hold the \
                 weights; high: at {} of it, which is an assumption",
                share(OPERATIONS_SHARE)
            ),
        ),
    ];
    if let Some(price) = &gpu.price {
        basis.push((
            "price",
            format!("${} an hour: {} ({}, {})", price.usd_per_hour, price.of, price.source, price.date),
        ));
    }
    if let Some(fit) = plan.fit {
        basis.push(("fitted", fitted(fit, gpu)));
    }
    if let Some(run) = plan.rows.iter().find_map(|row| row.measured_run.as_ref()) {
        let text = format!(
            "medians of run {run}; the estimate is of the work that was measured, its error that of the middle of the \
             range, by ratio"
        );
        basis.push(("measured", text));
    }
    let concerns = |row: &&Outlook| row.context_tokens.is_some_and(|context| context < plan.workload.context);
    let short: Vec<&str> = {
        let mut short: Vec<&str> = plan.rows.iter().filter(concerns).map(|row| row.candidate.as_str()).collect();
        short.dedup();
        short
    };
    if !short.is_empty() {
        basis.push(("context", format!("no longer than the model's own, which is less of {}", short.join(", "))));
    }
    basis
}

fn fitted(transfer: &Transfer, gpu: &GpuSpec) -> String {
    let Transfer { run, made_on, measured, carried, .. } = transfer;
    let left_out = match measured.worst_left_out_error {
        Some(error) => format!("; a candidate left out of it was missed by up to {}", Share(error)),
        None => String::new(),
    };
    let here = if *made_on == gpu.id {
        String::new()
    } else {
        format!(
            "; carried to {} by the ratio of the bandwidths ({:.0} GB/s), the fixed time as it is",
            gpu.id,
            carried.bytes_per_second / 1e9
        )
    };
    format!(
        "one chat's time per token = {} + bytes ÷ {:.0} GB/s, by {} candidates of run {run} on {made_on}; error {} \
         (root mean square){left_out}{here}",
        Seconds(measured.fixed_seconds),
        measured.bytes_per_second / 1e9,
        measured.points,
        Share(measured.rms_error),
    )
}
