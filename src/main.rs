//! The program `bench`: reads the command line, hands over, and exits with the answer.

use std::process::ExitCode;

use clap::Parser;

use bench::cli::Cli;
use bench::commands;
use bench::ui::Printer;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.talk);
    match commands::run(cli.command, &printer) {
        Ok(status) => status.into(),
        Err(error) => {
            printer.error(&error);
            ExitCode::from(commands::NO_ANSWER)
        }
    }
}
