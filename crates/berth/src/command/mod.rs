//! One file per verb of the command line.

mod access;
mod accounts;
mod app_password;
mod audit;
mod backup;
mod bind;
mod completions;
mod compliance;
mod config;
mod doctor;
mod events;
mod gc;
mod import;
mod job;
mod keys;
mod migrate;
mod passwd;
mod progress;
mod project;
mod read_only;
mod ready;
mod restore;
mod robot;
mod role;
mod scrub;
mod secrets;
mod serve;
mod user;

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Command};

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(arguments) => serve::run(arguments)?,
        Command::Gc(arguments) => return gc::run(arguments),
        Command::Scrub(arguments) => return scrub::run(arguments),
        Command::Audit(arguments) => return audit::run(arguments),
        Command::Backup(arguments) => return backup::run(arguments),
        Command::Import(arguments) => return import::run(arguments),
        Command::Restore(arguments) => return restore::run(arguments),
        Command::ReadOnly(arguments) => read_only::run(arguments)?,
        Command::Migrate(arguments) => return migrate::run(arguments),
        Command::Events(arguments) => events::run(arguments)?,
        Command::Keys(arguments) => keys::run(arguments)?,
        Command::Secrets(arguments) => secrets::run(arguments)?,
        Command::Access(arguments) => return access::run(arguments),
        Command::Project(arguments) => project::run(arguments)?,
        Command::Role(arguments) => role::run(arguments)?,
        Command::Bind(arguments) => bind::run(arguments)?,
        Command::User(arguments) => return user::run(arguments),
        Command::Robot(arguments) => robot::run(arguments)?,
        Command::AppPassword(arguments) => app_password::run(arguments)?,
        Command::Passwd(arguments) => passwd::run(&arguments)?,
        Command::Config(arguments) => config::run(arguments)?,
        Command::Compliance(arguments) => return compliance::run(arguments),
        Command::Doctor(arguments) => return Ok(doctor::run(arguments)),
        Command::Ready(arguments) => return Ok(ready::run(arguments)),
        Command::Completions(arguments) => completions::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command's work on a small runtime of its own.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime can't be started")?
        .block_on(work)
}

/// Writes to the standard output. A reader that has seen enough (`| head`) is no error.
fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
