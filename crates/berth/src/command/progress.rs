//! How far a command is, for people who watch, and now and then for logs.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use berth_backup::Step;
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// How often a command without a terminal says how far it is.
const REPORT: Duration = Duration::from_secs(30);
const NUMBERS: &str = "{spinner} {msg} [{bar:30}] {pos}/{len}";
const BYTES: &str = "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";

/// A bar on the standard error, where that is a terminal.
pub(super) fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::new(0).with_style(style(NUMBERS))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Moves a bar to where a step says; without a terminal, writes a line now and then.
pub(super) fn follow(bar: &ProgressBar) -> impl Fn(Step) + Sync {
    let said = Mutex::new(Instant::now());
    move |step| {
        if bar.is_hidden() {
            report(step, &said);
            return;
        }
        if bar.message() != step.phase {
            bar.set_style(style(if step.phase == "bytes" { BYTES } else { NUMBERS }));
            bar.reset();
            bar.set_message(step.phase);
        }
        bar.set_length(step.total);
        bar.set_position(step.done);
    }
}

fn report(step: Step, said: &Mutex<Instant>) {
    let mut said = said.lock();
    if said.elapsed() < REPORT {
        return;
    }
    *said = Instant::now();
    let Step { phase, done, total } = step;
    // Nobody's standard error is worth failing for.
    let _ = match total {
        0 => say(format!("{phase}: {done}\n")),
        _ => say(format!("{phase}: {done} of {total}\n")),
    };
}

/// Writes to the standard error, for people; what other programs read goes to the standard output.
pub(super) fn say(text: impl AsRef<str>) -> io::Result<()> {
    match io::stderr().lock().write_all(text.as_ref().as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
