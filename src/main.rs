//! The binary: arguments, run, exit code.

use clap::Parser;
use mailflow::{app, cli::Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    app::main(Cli::parse())
}
