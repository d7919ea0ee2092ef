//! System calls of a running process, recorded or made to fail by strace.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::tool_path;

const LIMIT: Duration = Duration::from_secs(30);

/// strace, attached to all threads of a process.
pub(crate) struct Trace {
    child: Child,
    output: PathBuf,
}

/// One system call, as text.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: String,
    /// Line at which it began and line at which it returned; the order of lines is the order of events.
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) result: String,
}

impl Call {
    /// Path behind the descriptor or directory that the first argument is (strace `-y`).
    pub(crate) fn first_path(&self) -> Option<&str> {
        let (_, rest) = self.arguments.split_once('<')?;
        Some(rest.split('>').next().unwrap_or(rest).trim_end_matches(" (deleted)"))
    }

    /// Quoted strings among the arguments.
    pub(crate) fn strings(&self) -> Vec<&str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }

    pub(crate) fn succeeded(&self) -> bool {
        !self.result.starts_with('-') && !self.result.starts_with('?')
    }
}

impl Trace {
    /// Attaches strace with these options to a process; it is attached when this returns.
    pub(crate) async fn attach(pid: u32, dir: &Path, options: &[&str]) -> Result<Self> {
        let output = dir.join("strace.out");
        let errors = dir.join("strace.err");
        let mut child = Command::new("strace")
            .env("PATH", tool_path())
            .args(["-f", "-y", "-s", "48", "-o"])
            .arg(&output)
            .args(options)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&errors)?)
            .spawn()
            .context("cannot run strace; scripts/test installs it")?;
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(&errors)?;
            if text.contains("attached") {
                return Ok(Self { child, output });
            }
            if child.try_wait()?.is_some() || begin.elapsed() > LIMIT {
                bail!("strace cannot attach to {pid}: {text}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Detaches and hands back what was recorded.
    pub(crate) async fn finish(mut self) -> Result<Vec<Call>> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begin.elapsed() > LIMIT {
                bail!("strace does not detach");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(parse(&std::fs::read_to_string(&self.output)?))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // A process that has ended already can't be killed, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines such as `12 fsync(7</d/f>) = 0`, joining those that another thread interrupted.
fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: Vec<(&str, usize, String)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.push((thread, number, start.to_owned()));
            continue;
        }
        let mut begin = number;
        let mut whole = rest.to_owned();
        if let Some((_, tail)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let Some(index) = unfinished.iter().position(|(other, ..)| *other == thread) else { continue };
            let (_, started, start) = unfinished.remove(index);
            begin = started;
            whole = start + tail;
        }
        let Some((name, rest)) = whole.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        calls.push(Call {
            name: name.to_owned(),
            arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
            begin,
            end: number,
            result: result.to_owned(),
        });
    }
    calls
}
