//! The program `bench`: reads the command line, hands over, and exits with the answer.

use std::process::ExitCode;

use clap::Parser;

use bench::cli::Cli;
use bench::commands;
use bench::text::{RENDERS_TEMPLATES, render_templates};
use bench::ui::Printer;

fn main() -> ExitCode {
    // What only the program itself asks of another process of it.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == RENDERS_TEMPLATES) {
        return if render_templates().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(commands::NO_ANSWER) };
    }
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
