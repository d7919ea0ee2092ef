//! `berth completions`: prints a script that completes commands in a shell.

use clap::CommandFactory as _;

use super::print;
use crate::cli::{Cli, Completions};

/// Prints a completion script.
pub(super) fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "berth", &mut script);
    Ok(print(script)?)
}
