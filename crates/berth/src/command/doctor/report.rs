//! What the checks find: graded, printed as it comes, with what to do, and summed up at the end.

use std::process::ExitCode;

use super::super::print;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Good,
    Doubtful,
    Bad,
}

/// What one check found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    subject: &'static str,
    pub(super) state: String,
    fix: Option<String>,
}

impl Finding {
    pub(super) fn good(subject: &'static str, state: impl Into<String>) -> Self {
        Self { grade: Grade::Good, subject, state: state.into(), fix: None }
    }

    /// Works, but not for long or not well.
    pub(super) fn doubtful(subject: &'static str, state: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grade: Grade::Doubtful, subject, state: state.into(), fix: Some(fix.into()) }
    }

    /// Must be fixed.
    pub(super) fn bad(subject: &'static str, state: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grade: Grade::Bad, subject, state: state.into(), fix: Some(fix.into()) }
    }
}

/// Prints findings as they come.
#[derive(Debug, Default)]
pub(super) struct Report {
    doubtful: usize,
    bad: usize,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        let mark = match finding.grade {
            Grade::Good => "ok  ",
            Grade::Doubtful => {
                self.doubtful += 1;
                "warn"
            }
            Grade::Bad => {
                self.bad += 1;
                "FAIL"
            }
        };
        line(&format!("{mark}  {:<15}  {}", finding.subject, finding.state));
        if let Some(fix) = finding.fix {
            line(&format!("      {:<15}  fix: {fix}", ""));
        }
    }

    /// Sums up.
    pub(super) fn end(self) -> ExitCode {
        match (self.bad, self.doubtful) {
            (0, 0) => line("\nall is well"),
            (0, doubtful) => line(&format!("\n{doubtful} to look at, nothing that must be fixed")),
            (bad, _) => {
                line(&format!("\n{bad} to fix"));
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }
}

/// Prints a line; whoever closed the pipe still gets the exit status.
fn line(text: &str) {
    let _ = print(format!("{text}\n"));
}
