//! `berth compliance report`: how this installation stands against the clauses that touch a registry. Changes nothing.

mod check;
mod clause;
mod djcp;
mod facts;
mod gdpr;

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use self::clause::{Clause, Scheme, State};
use self::facts::Facts;
use super::{block_on, print};
use crate::cli::{self, ComplianceCommand, ComplianceFormat, ComplianceScheme};
use crate::config;

pub(super) fn run(arguments: cli::Compliance) -> Result<ExitCode> {
    let ComplianceCommand::Report(arguments) = arguments.command;
    let config = config::load_for_serving(arguments.place.into())?.config;
    let facts = block_on(Facts::gather(config))?;
    let mut clauses = [djcp::clauses(&facts), gdpr::clauses(&facts)].concat();
    clauses.retain(|clause| match arguments.scheme {
        None => true,
        Some(ComplianceScheme::Djcp) => clause.scheme == Scheme::Djcp,
        Some(ComplianceScheme::Gdpr) => clause.scheme == Scheme::Gdpr,
    });
    print(match arguments.format {
        ComplianceFormat::Text => text(&clauses),
        ComplianceFormat::Json => {
            let document = json!({ "version": env!("CARGO_PKG_VERSION"), "clauses": clauses });
            serde_json::to_string_pretty(&document)? + "\n"
        }
    })?;
    let all = clauses.iter().all(|clause| matches!(clause.state, State::Met | State::Outside));
    Ok(if arguments.strict && !all { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(clauses: &[Clause]) -> String {
    let mut text = String::new();
    let mut scheme = None;
    // Writing to a text can't fail.
    for clause in clauses {
        if scheme.replace(clause.scheme) != Some(clause.scheme) {
            let title = match clause.scheme {
                Scheme::Djcp => "GB/T 22239-2019 8.1.4, level 3",
                Scheme::Gdpr => "Regulation (EU) 2016/679 (GDPR)",
            };
            let _ = writeln!(text, "{}{title}\n", if text.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(text, "{:<7}  {:<12}  {}", clause.state.as_str(), clause.number, clause.asks);
        for finding in &clause.findings {
            let _ = writeln!(text, "{:23}{}: {}", "", finding.state.as_str(), finding.evidence);
            if let Some(advice) = finding.advice {
                let _ = writeln!(text, "{:25}{advice}", "");
            }
        }
        let _ = writeln!(text, "{:23}see: {}", "", clause.shown_by);
    }
    let count = |state| clauses.iter().filter(|clause| clause.state == state).count();
    let _ = writeln!(
        text,
        "\n{} met, {} partly, {} unmet, {} not a registry's to do",
        count(State::Met),
        count(State::Partly),
        count(State::Unmet),
        count(State::Outside)
    );
    text
}

#[cfg(test)]
mod tests;
