//! The binary: arguments, run, exit code.

use clap::Parser;
use mailflow::{app, cli::Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => app::main(cli),
        Err(error) => app::misused(&error),
    }
}
