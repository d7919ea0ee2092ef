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
use jiff::Unit;
use serde_json::{Map, Value, json};

use self::clause::{Clause, Scheme, State, count};
use self::facts::Facts;
use self::finding::Language;
use super::{block_on, print};
use crate::cli::{self, ComplianceCommand, ComplianceFormat, ComplianceLanguage, ComplianceScheme};
use crate::config;

const VERSION: &str = env!("CARGO_PKG_VERSION");

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
        ComplianceFormat::Text => text::text(&heading(&facts), &clauses, language),
        ComplianceFormat::Json => json(&facts, &clauses, language)?,
    })?;
    let mut findings = clauses.iter().flat_map(|clause| &clause.findings);
    let settled = findings.all(|finding| finding.state.is_settled());
    Ok(if arguments.strict && !settled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What was looked at, and when: a report is evidence of one installation at one time.
fn heading(facts: &Facts) -> String {
    format!("Berth {VERSION}, {}, {}", place(facts), facts.at.round(Unit::Second).unwrap_or(facts.at))
}

fn place(facts: &Facts) -> String {
    let config = &facts.config;
    config.database.url.as_ref().map_or_else(|| config.data_dir.display().to_string(), ToString::to_string)
}

fn json(facts: &Facts, clauses: &[Clause], language: Language) -> Result<String> {
    let summary: Map<String, Value> = State::ALL
        .into_iter()
        .map(|state| {
            Ok((
                serde_json::to_value(state)?.as_str().unwrap_or_default().to_owned(),
                count(clauses, state).into(),
            ))
        })
        .collect::<Result<_>>()?;
    let clauses: Vec<_> = clauses.iter().map(|clause| clause.written(language)).collect();
    let document = json!({ "version": VERSION, "of": place(facts), "at": facts.at, "summary": summary, "clauses": clauses });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests;
