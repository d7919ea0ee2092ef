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

fn main() -> ExitCode {
    match command::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
