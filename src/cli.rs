//! The command line: what can be said, and nothing of what is done about it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::catalog::{Quantization, Variants};
use crate::compare::RECOMMENDED_TRIALS;
use crate::plan::{Layout, USUAL_CONTEXT};
use crate::suite::{FirstChoice, Language, Task};
use crate::text::TEMPLATE_DATE;
use crate::units::Share;

/// Who asks for help wants to see how it is done; the options are there to be looked up.
const EXAMPLES_FIRST: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";

/// Which language model should we put behind our Korean and English service, on this GPU, within this budget?
#[derive(Debug, Parser)]
#[command(name = "bench", version, max_term_width = 100, arg_required_else_help = true)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench compare --synthetic   screen every candidate now: random weights, nothing downloaded
  bench compare               download the candidates, run all prompts, compare, recommend
  bench plan --gpu l4         what would fit a card and how fast it can be, before any download
  bench run ./model.gguf --prompt '대한민국의 수도는?'
  bench recommend --require ttft_seconds=1
  bench doctor                what this machine has, and what to do about what it lacks

Exit status:
  0   the answer is yes
  1   the answer is no: nothing qualifies, a candidate failed, something became worse
  2   no answer: wrong arguments, no network, no such model, interrupted
  3   bench check could not decide: too few trials, or other programs were busy")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub talk: Talk,
}

/// How much is said beside the answer.
#[derive(Debug, Clone, Copy, Args)]
pub struct Talk {
    /// Print nothing on standard error but warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 900)]
    pub quiet: bool,
    /// Print each step on standard error
    #[arg(short, long, global = true, display_order = 901)]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the candidates on the same prompts, compare them, and recommend one
    Compare(Compare),
    /// Ask one checkpoint one prompt; show the answer and its timings
    Run(Run),
    /// Score texts or choices: how likely a checkpoint finds them, and what another precision changes
    Score(Score),
    /// Show what fits a GPU and how fast it can be, before any download
    Plan(Plan),
    /// Show which rows of a published table are impossible on a GPU, or contradict each other
    Audit(Audit),
    /// Download candidates into the Hugging Face cache
    Pull(Pull),
    /// Recommend again from a stored run under other requirements, without measuring
    Recommend(Recommend),
    /// Judge stored answers again, or those of a file, without running anything
    Judge(Judge),
    /// Compare stored answers yourself, two at a time and without names
    Review(Review),
    /// Write a stored run as CSV, JSON or Markdown, answers included
    Export(Export),
    /// Fail if a run is worse than a baseline by more than the tolerance and by more than chance explains
    Check(Check),
    /// Save a run as the baseline that later runs are judged against
    Baseline(Baseline),
    /// List the stored runs, or show how one metric changed from run to run
    History(History),
    /// Show what this machine and build have, and how to get what they lack
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

/// Where models.toml is.
#[derive(Debug, Clone, Args)]
pub struct Models {
    /// Read candidates and requirements from this file [default: ./models.toml, else the shipped one]
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
}

/// Where results are kept.
#[derive(Debug, Clone, Args)]
pub struct Results {
    /// Use the results in this folder; its bench.db holds them
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
}

/// Which prompts to ask.
#[derive(Debug, Clone, Default, Args)]
pub struct Prompts {
    /// Take the prompts of this folder instead of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub prompts: Option<PathBuf>,
    /// Ask the prompts of this file too: JSON lines with checks, a suite named as the file is; may be repeated
    #[arg(long, value_name = "FILE")]
    pub quality: Vec<PathBuf>,
}

/// What chat templates are told.
#[derive(Debug, Clone, Args)]
pub struct Templates {
    /// Tell chat templates that ask for it that this is today: a fixed day, so that prompts stay the same
    #[arg(long, value_name = "YYYY-MM-DD", default_value_t = TEMPLATE_DATE)]
    pub today: Date,
}

/// What to compute on.
#[derive(Debug, Clone, Args)]
pub struct Device {
    /// Compute on cpu, cuda or cuda:N [default: cuda in a CUDA build that finds a GPU, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Use this many processor threads [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("until").multiple(true)))]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench compare --synthetic                 random weights at the real shapes: no download
  bench compare --candidate qwen2.5-7b --candidate llama-3-8b
  bench compare --local ./my-model --local ./other.Q4_K_M.gguf --language ko
  bench compare --synthetic --repeat 6      enough rounds for the interval of a median
  bench compare --candidate qwen2.5-7b --variants quantization=q8_0,q4_k
  bench compare --precision 2% --min-seconds 10   rounds until figures are certain to ±2 %
  bench compare --require ttft_seconds=1 --format json --output run.json
  bench compare --resume                    go on with the run that was interrupted last")]
pub struct Compare {
    #[command(flatten)]
    pub models: Models,
    /// Run only this candidate of models.toml; may be repeated
    #[arg(short, long, value_name = "ID")]
    pub candidate: Vec<String>,
    /// Run this directory or .gguf file instead of the candidates of models.toml; may be repeated
    #[arg(short, long, value_name = "PATH", conflicts_with = "candidate")]
    pub local: Vec<PathBuf>,
    /// Make random weights at each candidate's real shape: no download, and no quality
    #[arg(long)]
    pub synthetic: bool,
    /// Run only this suite; may be repeated [default: all; only speed with --synthetic]
    #[arg(short, long, value_name = "NAME")]
    pub suite: Vec<String>,
    /// Run only texts in this language; may be repeated
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Vec<Language>,
    #[command(flatten)]
    pub prompts: Prompts,
    #[command(flatten)]
    pub device: Device,
    /// Run every candidate at this precision, whatever models.toml says
    #[arg(long, value_name = "PRECISION")]
    pub quantization: Option<Quantization>,
    /// Run one candidate several times, set otherwise in one thing, and show what that changes: quantization=q8_0,q4_k,
    /// context=5000,1200, kv-cache=on,off, attention=plain,blocked or adapter=none,DIR; the first value is the one before
    #[arg(long, value_name = "AXIS=VALUES", value_parser = Variants::parse)]
    pub variants: Option<Variants>,
    /// Limit answers to this many tokens where a prompt allows more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: Option<u32>,
    /// Measure each prompt this many times [default: the suite's own number; 1 with --synthetic]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: Option<u32>,
    /// Repeat until the 95 % intervals of TTFT and decode lie within this share of their medians, such as 2%; repeats only
    /// prompts of token ids, because asking a text again does not make a larger sample
    #[arg(long, value_name = "SHARE", value_parser = precision, group = "until")]
    pub precision: Option<f64>,
    /// Repeat until the trials of each suite of token ids took this many seconds together
    #[arg(long, value_name = "SECONDS", value_parser = seconds, group = "until")]
    pub min_seconds: Option<f64>,
    /// Stop --precision and --min-seconds after this many rounds [default: 100]
    #[arg(long, value_name = "N", requires = "until", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_repeat: Option<u32>,
    /// Warm up each suite with this many trials [default: the suite's own number; for token ids at most 10, until their times
    /// are steady; 1 with --synthetic alone]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub warmup: Option<u32>,
    /// Derive all seeds from this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub templates: Templates,
    #[command(flatten)]
    pub require: Require,
    #[command(flatten)]
    pub results: Results,
    /// Print in this format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    #[command(flatten)]
    pub columns: Columns,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Run again what a baseline or a stored run ran: its candidates, prompts, seed, device and threads
    #[arg(
        long, value_name = "FILE|RUN",
        conflicts_with_all = ["models", "candidate", "local", "synthetic", "suite", "language", "device", "threads",
            "quantization", "variants", "max_new_tokens", "precision", "min_seconds", "max_repeat", "warmup", "seed", "today", "require"]
    )]
    pub like: Option<String>,
    /// Continue an interrupted run with the settings that it was started with
    #[arg(
        long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest",
        conflicts_with_all = ["models", "candidate", "local", "synthetic", "suite", "language", "device", "threads",
            "quantization", "variants", "max_new_tokens", "repeat", "precision", "min_seconds", "max_repeat", "warmup", "seed", "today",
            "require", "like"]
    )]
    pub resume: Option<String>,
}

/// Other requirements than the file's, or than the run's own.
#[derive(Debug, Clone, Args)]
pub struct Require {
    /// Replace a requirement of models.toml, such as ttft_seconds=1.5 or budget.krw_per_month=100000; `none` drops it; may be
    /// repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub require: Vec<String>,
}

/// What the tables of a comparison have beside their own columns.
#[derive(Debug, Clone, Args)]
pub struct Columns {
    /// Add columns of these metrics to the tables, such as itl_p99,visible_ttft: names in the CSV, which has all, or the first
    /// words of such names; may be repeated
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub columns: Vec<String>,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    Markdown,
}

/// Which kinds of GPU are known.
#[derive(Debug, Clone, Args)]
pub struct Gpus {
    /// Add GPUs, or replace shipped ones, from a file in the form of gpus.toml
    #[arg(long, value_name = "FILE")]
    pub gpus: Option<PathBuf>,
}

/// How a plan or an audit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    Table,
    Csv,
    Json,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench plan --gpu l4
  bench plan --gpu h100 --context 32768 --concurrency 16 --quantization bf16 --quantization q8_0
  bench plan qwen2.5-7b ./my-model Qwen/Qwen2.5-14B-Instruct --gpu this
  bench plan --gpu l40s --from latest --format json")]
pub struct Plan {
    /// Candidates of models.toml, directories, .gguf files or Hub repositories (owner/name) [default: all of models.toml]
    pub candidates: Vec<String>,
    /// Plan for this GGUF file of the repository; a pattern such as '*q4_k_m*' will do
    #[arg(long, value_name = "NAME", requires = "candidates")]
    pub file: Option<String>,
    #[command(flatten)]
    pub models: Models,
    /// Plan for this GPU: its id in gpus.toml, the driver's name for it, or `this` for the first GPU of this machine [default:
    /// requirements.device of models.toml]
    #[arg(long, value_name = "GPU")]
    pub gpu: Option<String>,
    #[command(flatten)]
    pub gpus: Gpus,
    /// Plan for chats of this many tokens, prompt and answer together
    #[arg(long, value_name = "N", default_value_t = USUAL_CONTEXT, value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    pub context: u64,
    /// Plan for this many chats at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub concurrency: u64,
    /// Plan only for this layout of the weights; may be repeated [default: the candidate's own, bf16, q8_0, int8, q4_k and nf4]
    #[arg(long, value_name = "LAYOUT")]
    pub quantization: Vec<Layout>,
    /// Show the measured speeds of this run [default: the latest on a GPU of gpus.toml]
    #[arg(long, value_name = "RUN")]
    pub from: Option<String>,
    #[command(flatten)]
    pub results: Results,
    /// Print in this format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: PlanFormat,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench audit table.csv --gpu l4
  bench audit before-and-after.csv
  bench audit table.csv --gpu a100-80 --shape ours=./my-model --format json")]
pub struct Audit {
    /// A table as CSV with a header: model, and precision, tokens/s and memory where it states them; or metric, before, after
    /// and change
    pub table: PathBuf,
    /// Judge speeds and memory by this GPU: its id in gpus.toml, the driver's name for it, or `this` for the first GPU of this
    /// machine
    #[arg(long, value_name = "GPU")]
    pub gpu: Option<String>,
    #[command(flatten)]
    pub gpus: Gpus,
    #[command(flatten)]
    pub models: Models,
    /// Give a name of the table a shape: a directory with a config.json, or a repository whose shape ships with bench; may be
    /// repeated
    #[arg(long, value_name = "NAME=SHAPE")]
    pub shape: Vec<String>,
    /// Print in this format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: PlanFormat,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench run ./SmolLM2-135M-Instruct.Q4_1.gguf --prompt 'Name the capital of France.'
  bench run qwen2.5-7b --prompt '대한민국의 수도는 어디인가요?' --max-new-tokens 64
  bench run ./my-model --adapter ./my-adapter --prompt 'Where is my parcel?'
  bench run Qwen/Qwen2.5-0.5B-Instruct --ids '[1, 2, 3]' --ignore-eos --format json")]
pub struct Run {
    /// A directory, a .gguf file, a candidate of models.toml, or a Hub repository (owner/name or owner/name@revision)
    pub checkpoint: String,
    /// Ask this text, in the model's chat template if it has one
    #[arg(short, long, value_name = "TEXT", required_unless_present = "ids", conflicts_with = "ids")]
    pub prompt: Option<String>,
    /// Put this system message before the prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "ids")]
    pub system: Option<String>,
    /// Give the prompt as it is, without the chat template
    #[arg(long, conflicts_with_all = ["ids", "system"])]
    pub raw: bool,
    /// Give these token ids instead of text, as a JSON list
    #[arg(long, value_name = "LIST", value_parser = token_ids)]
    pub ids: Option<TokenIds>,
    #[command(flatten)]
    pub templates: Templates,
    /// Limit the answer to this many tokens
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: u32,
    /// Continue past the end of the answer
    #[arg(long)]
    pub ignore_eos: bool,
    /// Draw tokens at this temperature instead of taking the most likely one
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub temperature: Option<f64>,
    /// Seed the draws with this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub models: Models,
    #[command(flatten)]
    pub device: Device,
    /// Compute with weights of this precision [default: as stored]
    #[arg(long, value_name = "PRECISION")]
    pub quantization: Option<Quantization>,
    /// Merge this LoRA adapter, a directory as PEFT writes it, into the weights while they are loaded
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// Print the answer while it is generated (text), or one object at the end (json)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
}

/// A list of token ids, as one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIds(pub Vec<u32>);

fn token_ids(text: &str) -> Result<TokenIds, String> {
    serde_json::from_str(text).map(TokenIds).map_err(|_| "expected a JSON list of token ids, as [1, 2, 3]".into())
}

/// `2%` or `0.02`.
fn precision(text: &str) -> Result<f64, String> {
    let share = Share::parse(text).map(|share| share.0).filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a share below 100%, as 2%".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    valid.ok_or_else(|| "expected a number of seconds over 0".into())
}

fn temperature(text: &str) -> Result<f64, String> {
    let valid = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    valid.ok_or_else(|| "expected a number over 0".into())
}

/// How the answer of one checkpoint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench score ./my-model                    the shipped texts, Korean and English: bits per byte
  bench score ./my-model --text korean.txt --text english.txt
  bench score ./my-model --text korean.txt --per-token --format json
  bench score ./my-model --text mixed.txt --quantization bf16 --against q4_k
  bench score ./my-model --adapter ./my-adapter --text korean.txt --against ./my-model
  bench score ./my-model --choices Law-test.csv --task kmmlu --examples Law-dev.csv
  bench score ./my-model --choices ours.jsonl --task plain --first-choice 1")]
pub struct Score {
    /// A directory, a .gguf file, a candidate of models.toml, or a Hub repository (owner/name or owner/name@revision)
    pub checkpoint: String,
    /// Score the text of this file, which is UTF-8; may be repeated [default: the shipped texts, Korean and English]
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    pub text: Vec<PathBuf>,
    /// Score these token ids instead of text, as a JSON list
    #[arg(long, value_name = "LIST", value_parser = token_ids)]
    pub ids: Option<TokenIds>,
    /// Ask the multiple-choice questions of this file (.csv or .jsonl) instead; the likeliest choice is the answer
    #[arg(long, value_name = "FILE", requires = "task", conflicts_with_all = ["text", "ids", "against", "per_token", "window", "stride"])]
    pub choices: Option<PathBuf>,
    /// Ask the questions as kmmlu, haerae or kobest are asked, or plain: as they stand
    #[arg(long, value_name = "TASK", requires = "choices", hide_possible_values = true)]
    pub task: Option<Task>,
    /// Put the answered questions of this file before each question
    #[arg(long, value_name = "FILE", requires = "choices")]
    pub examples: Option<PathBuf>,
    /// Take only so many of the examples, from the first on
    #[arg(long, value_name = "N", requires = "examples")]
    pub shots: Option<u32>,
    /// Count the choices from 0 or from 1 where answers are numbers [default: 1 in kmmlu, 0 in kobest]
    #[arg(long, value_name = "NUMBER", requires = "choices", hide_possible_values = true)]
    pub first_choice: Option<FirstChoice>,
    /// Compute with weights of this precision [default: as stored]
    #[arg(long, value_name = "PRECISION")]
    pub quantization: Option<Quantization>,
    /// Merge this LoRA adapter, a directory as PEFT writes it, into the weights while they are loaded; --against PRECISION
    /// merges it too, --against CHECKPOINT does not
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// Show how far the predictions of another precision, or of another checkpoint with the same tokens, are from these
    #[arg(long, value_name = "PRECISION|CHECKPOINT")]
    pub against: Option<String>,
    /// Cut a long text into windows of this many tokens [default: 2048, or the model's longest context]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub window: Option<u32>,
    /// Begin a window every N tokens [default: half a window]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stride: Option<u32>,
    /// Print each token's id and log-probability too
    #[arg(long)]
    pub per_token: bool,
    #[command(flatten)]
    pub models: Models,
    #[command(flatten)]
    pub device: Device,
    /// Print in this format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench pull                           every candidate of models.toml
  bench pull qwen2.5-7b
  bench pull Qwen/Qwen2.5-7B-Instruct@main
  bench pull Qwen/Qwen2.5-7B-Instruct-GGUF --file qwen2.5-7b-instruct-q4_k_m.gguf

Pulling obeys HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE.")]
pub struct Pull {
    /// Candidates of models.toml, or Hub repositories (owner/name or owner/name@revision) [default: all candidates]
    #[arg(value_name = "CANDIDATE")]
    pub candidates: Vec<String>,
    /// Download only this GGUF file of the repository, with all its parts; a pattern such as '*q4_k_m*' will do
    #[arg(long, value_name = "NAME", requires = "candidates")]
    pub file: Option<String>,
    #[command(flatten)]
    pub models: Models,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench recommend                 the latest run under the requirements it was made with
  bench recommend --require ttft_seconds=1 --require memory_gib=16
  bench recommend 20261120-051733 --models other.toml
  bench recommend --format markdown --output comment.md")]
pub struct Recommend {
    /// The id of a run, an unambiguous beginning of one, or latest
    #[arg(default_value = "latest")]
    pub run: String,
    /// Take the requirements of this file instead of the run's own
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    #[command(flatten)]
    pub require: Require,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    #[command(flatten)]
    pub columns: Columns,
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench judge                     the answers of the latest run, and which verdicts changed
  bench judge 20261120-051733 --format json
  bench judge --answers answers.jsonl   lines with language, text and answer")]
pub struct Judge {
    /// The id of a run, an unambiguous beginning of one, or latest
    #[arg(default_value = "latest")]
    pub run: String,
    /// Judge the answers of this file instead: JSON lines with language, text and answer, and optionally id, system, cut,
    /// copies_prompt and checks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "results"])]
    pub answers: Option<PathBuf>,
    /// Print in this format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench review                          pairs of answers of the latest run, q ends
  bench review --candidate qwen2.5-7b --candidate exaone-3.5-7.8b --language ko
  bench review --summary                what was preferred so far")]
pub struct Review {
    /// The id of a run, an unambiguous beginning of one, or latest
    #[arg(default_value = "latest")]
    pub run: String,
    /// Compare only these candidates' answers: an id, or a row's name with its quantization; may be repeated
    #[arg(long, value_name = "NAME")]
    pub candidate: Vec<String>,
    /// Show only prompts in this language
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<Language>,
    /// Show only prompts of this suite
    #[arg(long, value_name = "SUITE")]
    pub suite: Option<String>,
    /// Show no more than this many pairs
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
    /// Show no pair, only what was preferred so far
    #[arg(long)]
    pub summary: bool,
    /// Print what was preferred in this format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench export --format csv --output results.csv
  bench export latest --format json | jq '.run.rows[].trials[].text'
  bench export 20261120-051733 --format markdown
  bench export --format table --columns itl_p99,visible_ttft")]
pub struct Export {
    /// The id of a run, an unambiguous beginning of one, or latest
    #[arg(default_value = "latest")]
    pub run: String,
    /// Write in this format
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub format: Format,
    #[command(flatten)]
    pub columns: Columns,
    /// Begin CSV with the mark of UTF-8, without which a spreadsheet on Korean Windows reads it as CP949
    #[arg(long)]
    pub bom: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench history
  bench history --metric decode_tokens_per_second --suite speed")]
pub struct History {
    /// Show this metric in each run: its name in the CSV, or the first words of that name
    #[arg(long, value_name = "KEY")]
    pub metric: Option<String>,
    /// Show the metric in this suite only
    #[arg(short, long, value_name = "NAME", requires = "metric")]
    pub suite: Option<String>,
    /// Show only the latest N runs
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub last: u16,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench check                                  the latest run against this machine's baseline
  bench check --measure --repeat 20            run now what the baseline ran, and judge that
  bench check --ab ./bench-main                another build and this one, in turn
  bench check --calibrate --rounds 8           how far this machine's own runs lie apart
  bench check --baseline 20261120-051733 --tolerance ttft=10%,decode=3%
  bench check --format table --format junit=check.xml --format markdown=comment.md

Exit status:
  0   nothing is worse by more than its tolerance
  1   something is worse: slower, larger, failing, or answering with other tokens
  2   no comparison: another machine, other prompts, no baseline, interrupted
  3   not decided: too few trials, or other programs were busy; see --inconclusive")]
pub struct Check {
    /// Judge against this: a file of `bench baseline`, or a stored run [default: this machine's file in results/baselines]
    #[arg(long, value_name = "FILE|RUN")]
    pub baseline: Option<String>,
    /// Judge this run: its id, an unambiguous beginning of it, or latest
    #[arg(long, value_name = "RUN", default_value = "latest", conflicts_with_all = ["measure", "ab", "calibrate"])]
    pub run: String,
    /// Run now what the baseline ran, and judge that run
    #[arg(long, conflicts_with_all = ["ab", "calibrate"])]
    pub measure: bool,
    /// Run this other build and this one in turn, a process each time, and judge this one against the other; the baseline,
    /// or without one the latest run, only says what to run
    #[arg(long, value_name = "BINARY", conflicts_with = "calibrate")]
    pub ab: Option<PathBuf>,
    /// Run what the baseline ran several times, and store in its file how far the runs lie apart; no tolerance may be smaller
    #[arg(long, conflicts_with_all = ["metric", "tolerance", "format", "inconclusive"])]
    pub calibrate: bool,
    /// Make this many rounds with --ab, or runs with --calibrate
    #[arg(long, value_name = "N", default_value_t = RECOMMENDED_TRIALS as u16, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    pub rounds: u16,
    /// Measure each prompt this many times with --measure [default: as many as the baseline has]
    #[arg(long, value_name = "N", requires = "measure", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: Option<u32>,
    /// Judge only this metric: its name in the CSV, or the first words of that name; may be repeated
    /// [default: ttft, decode, memory, and load where it can be judged]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub metric: Vec<String>,
    /// Let a metric be worse by this share, such as decode=3%; may be repeated [default: 5%, load 25%, or the noise that
    /// --calibrate found where it is larger]
    #[arg(long, value_name = "NAME=SHARE", value_delimiter = ',')]
    pub tolerance: Vec<String>,
    /// Compare although this field of the environment differs, such as kernel; may be repeated
    #[arg(long, value_name = "FIELD", value_delimiter = ',', conflicts_with = "calibrate")]
    pub allow_environment: Vec<String>,
    /// Let a check that did not decide pass or fail; a loss by over a factor of 2 is never passed [default: exit status 3]
    #[arg(long, value_name = "WHAT")]
    pub inconclusive: Option<Inconclusive>,
    /// Print in this format, or write it to a file as KIND=FILE; may be repeated [default: table]
    /// [kinds: table, json, junit, markdown, github]
    #[arg(long, value_name = "KIND[=FILE]", value_parser = check_format)]
    pub format: Vec<CheckOutput>,
    #[command(flatten)]
    pub prompts: Prompts,
    #[command(flatten)]
    pub results: Results,
}

/// What to make of a check that did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    Pass,
    Fail,
}

/// How a check is written, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutput {
    pub format: CheckFormat,
    /// Standard output if `None`.
    pub file: Option<PathBuf>,
}

/// How a check is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Table,
    Json,
    /// For CI systems that show tests.
    Junit,
    /// For a comment on a pull request.
    Markdown,
    /// Annotations of a GitHub workflow; its summary as well, where it has one.
    Github,
}

fn check_format(text: &str) -> Result<CheckOutput, String> {
    let (kind, file) = text.split_once('=').map_or((text, None), |(kind, file)| (kind, Some(file)));
    let format = CheckFormat::from_str(kind, false).map_err(|_| {
        let kinds = CheckFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let kinds: Vec<String> = kinds.map(|kind| kind.get_name().to_owned()).collect();
        format!("expected one of {}, or KIND=FILE", kinds.join(", "))
    })?;
    match file {
        Some("") => Err("the name of a file is missing after `=`".into()),
        file => Ok(CheckOutput { format, file: file.map(PathBuf::from) }),
    }
}

#[derive(Debug, Args)]
#[command(help_template = EXAMPLES_FIRST, after_help = "\
Examples:
  bench baseline save                       the latest run as this machine's baseline
  bench baseline save --run 20261120-051733 --output results/baselines/l4.json
  bench baseline list
  bench baseline show results/baselines/l4.json")]
pub struct Baseline {
    #[command(subcommand)]
    pub command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Write a stored run as a baseline: a small file to review and commit
    Save(BaselineSave),
    /// List the baselines, and mark those that this machine can be judged against
    List(Results),
    /// Show what a baseline holds
    Show {
        /// A baseline's file, or a stored run
        baseline: String,
        #[command(flatten)]
        results: Results,
    },
}

#[derive(Debug, Args)]
pub struct BaselineSave {
    /// The id of a run, an unambiguous beginning of one, or latest
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Write to this file [default: one in results/baselines, named by the machine]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a baseline that the run does not compare with; save a run that is unfinished or was disturbed
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub results: Results,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub results: Results,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_of_the_help_parses() {
        let mut command = Cli::command();
        let mut pages = vec![command.render_long_help().to_string()];
        pages.extend(command.get_subcommands_mut().map(|sub| sub.render_long_help().to_string()));
        let examples: Vec<String> = pages
            .iter()
            .flat_map(|page| page.lines())
            .filter_map(|line| line.trim().strip_prefix("bench "))
            .map(str::to_owned)
            .collect();
        assert!(examples.len() > 15);
        for example in examples {
            // The command ends where two spaces begin its explanation, or a pipe the next command.
            let command = example.split("  ").next().unwrap_or_default().split(" | ").next().unwrap_or_default();
            let words = command.replace(", ", ",");
            let words = words.split(' ').map(|word| word.trim_matches('\''));
            let words: Vec<&str> = words.filter(|word| !word.starts_with('[')).collect();
            if words.contains(&"--prompt") || words.contains(&"--ids") {
                continue;
            }
            let parsed = Cli::try_parse_from(std::iter::once("bench").chain(words));
            assert!(parsed.is_ok(), "`bench {command}`: {}", parsed.unwrap_err());
        }
    }
}
