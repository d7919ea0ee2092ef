//! The binary: command line, configuration, wiring. What happens is in the rooms below.

mod cli;
mod command;
mod config;
mod data;
mod federation;
mod gauges;
mod log;
mod operator;
#[cfg(feature = "otlp")]
mod traces;
mod vault;

use std::process::ExitCode;

use clap::Parser as _;

/// The exit code of a command that could not do what it was told; 1 is for answers: no, denied, not whole.
const COULD_NOT: u8 = 2;

fn main() -> ExitCode {
    match command::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(COULD_NOT)
        }
    }
}
