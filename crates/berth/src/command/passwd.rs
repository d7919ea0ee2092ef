//! `berth passwd`: hashes a password. And how commands ask for one without showing it.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;

use anyhow::{Context as _, bail};
use berth_access::{PasswordHash, User};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::Serialize;
use tokio::sync::oneshot;

use super::print;
use crate::cli::Passwd;

/// More is no password but a wrong file.
const MAX_BYTES: u64 = 4096;

/// Hashes a password, and prints the hash or a whole entry for the configuration file.
pub(super) fn run(arguments: &Passwd) -> anyhow::Result<()> {
    let password = read()?;
    let hash = berth_access::hash_password(&password)?;
    let text = match &arguments.name {
        Some(name) => entry(name, hash, arguments)?,
        None => format!("{}\n", hash.as_str()),
    };
    Ok(print(text)?)
}

/// Asks for a password twice, or reads the first line of a pipe.
pub(super) fn read() -> anyhow::Result<String> {
    if io::stdin().is_terminal() { ask_twice() } else { read_line() }
}

/// Asks for a line that may be seen.
pub(super) fn read_line_of(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    read_line()
}

/// The part of `berth.yaml` that holds users.
#[derive(Serialize)]
struct Entry {
    access: Access,
}

#[derive(Serialize)]
struct Access {
    users: Vec<User>,
}

fn entry(name: &str, password: PasswordHash, arguments: &Passwd) -> anyhow::Result<String> {
    let users = vec![User { name: name.to_owned(), password, access: arguments.access }];
    let config = berth_access::Config { users, ..berth_access::Config::default() };
    config.validate()?;
    // One line per value: a folded hash is right, but not what one expects to paste.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false, compact_list_indent: false };
    Ok(serde_saphyr::to_string_with_options(&Entry { access: Access { users: config.users } }, options)?)
}

fn ask_twice() -> anyhow::Result<String> {
    // Ctrl-C must leave the terminal as it was, so it is waited for beside the reading.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let silence = Silence::start()?;
    let password = runtime.block_on(async {
        tokio::select! {
            password = ask("Password: ") => password,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })?;
    let again = runtime.block_on(async {
        tokio::select! {
            again = ask("Again: ") => again,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })?;
    drop(silence);
    if password != again {
        bail!("the two passwords differ; run the command again");
    }
    Ok(password)
}

/// Reads on a thread of its own: one that waits for the terminal would keep the runtime from ending.
async fn ask(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    let (answer, line) = oneshot::channel();
    std::thread::spawn(move || answer.send(read_line()));
    let line = line.await.context("no answer")?;
    eprintln!();
    line
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_line(&mut line)
        .context("the password can't be read; it must be UTF-8")?;
    if line.len() as u64 == MAX_BYTES {
        bail!("the password is longer than {MAX_BYTES} bytes; give it as the first line");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal without echo, until dropped.
struct Silence(Termios);

impl Silence {
    fn start() -> anyhow::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd()).context("terminal settings can't be read")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &silent)
            .context("terminal settings can't be changed")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
    }
}
