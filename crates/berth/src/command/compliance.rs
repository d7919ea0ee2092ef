//! `berth compliance report`: how this installation stands against the clauses that touch a registry. Changes nothing.

mod check;
mod clause;
mod djcp;
mod facts;
mod finding;
mod gdpr;
mod text;

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use self::clause::{Clause, Scheme, State};
use self::facts::Facts;
use self::finding::Language;
use super::{block_on, print};
use crate::cli::{self, ComplianceCommand, ComplianceFormat, ComplianceLanguage, ComplianceScheme};
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
    let language = match arguments.language {
        ComplianceLanguage::En => Language::English,
        ComplianceLanguage::ZhCn => Language::Chinese,
    };
    print(match arguments.format {
        ComplianceFormat::Text => text::text(&clauses, language),
        ComplianceFormat::Json => json(&clauses, language)?,
    })?;
    let all = clauses.iter().all(|clause| matches!(clause.state, State::Met | State::Outside));
    Ok(if arguments.strict && !all { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn json(clauses: &[Clause], language: Language) -> Result<String> {
    let clauses: Vec<_> = clauses.iter().map(|clause| clause.written(language)).collect();
    let document = json!({ "version": env!("CARGO_PKG_VERSION"), "clauses": clauses });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests;
