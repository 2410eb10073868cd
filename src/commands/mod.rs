//! The subcommands, a file each: what one does, in order.

mod audit;
mod baseline;
mod baselines;
mod candidates;
mod card;
mod check;
mod checkpoint;
mod compare;
mod deliver;
mod doctor;
mod export;
mod fault;
mod gpu;
mod history;
mod interrupt;
mod judge;
mod metrics;
mod plan;
mod pull;
mod recommend;
mod review;
mod run;
mod score;
mod status;
mod threads;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::ui::Printer;

pub use status::{NO_ANSWER, Status};

/// Carries out a command.
///
/// # Errors
/// Whatever keeps it from answering.
pub fn run(command: Command, printer: &Printer) -> Result<Status, Error> {
    fault::handle();
    match command {
        Command::Compare(args) => compare::run(&args, printer),
        Command::Run(args) => run::run(&args, printer),
        Command::Score(args) => score::run(&args, printer),
        Command::Plan(args) => plan::run(&args, printer),
        Command::Audit(args) => audit::run(&args, printer),
        Command::Pull(args) => pull::run(&args, printer),
        Command::Recommend(args) => recommend::run(&args, printer),
        Command::Export(args) => export::run(&args, printer),
        Command::Judge(args) => judge::run(&args, printer),
        Command::Review(args) => review::run(&args, printer),
        Command::Check(args) => check::run(&args, printer),
        Command::Baseline(args) => baseline::run(&args, printer),
        Command::History(args) => history::run(&args, printer),
        Command::Doctor(args) => doctor::run(&args, printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bench", &mut script);
            printer.answer(&String::from_utf8_lossy(&script))?;
            Ok(Status::Yes)
        }
    }
}
