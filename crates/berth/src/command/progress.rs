//! How far a command is, for people who watch.

use std::io::{self, IsTerminal as _};

use berth_backup::Step;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on the standard error, where that is a terminal.
pub(super) fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Moves a bar to where a step says.
pub(super) fn follow(bar: &ProgressBar) -> impl Fn(Step) + Sync {
    move |step| {
        bar.set_length(step.total);
        bar.set_position(step.done);
        bar.set_message(step.phase);
    }
}
