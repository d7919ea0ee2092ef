//! The report for people.

use std::fmt::Write as _;

use super::clause::{Clause, Scheme, State, count};
use super::finding::Language;

/// Columns before what was found.
const INDENT: usize = 24;

/// Writes clauses under the titles of their schemes, and how many stand how, below a line on what was looked at.
pub(super) fn text(of: &str, clauses: &[Clause], language: Language) -> String {
    let mut text = format!("{of}\n");
    let mut scheme = None;
    // Writing to a text can't fail.
    for clause in clauses {
        if scheme.replace(clause.scheme) != Some(clause.scheme) {
            let _ = writeln!(text, "\n{}\n", title(clause.scheme));
        }
        let state = padded(clause.state, language);
        let _ = writeln!(text, "{state}  {:<12}  {}", clause.number, clause.asks(language));
        for finding in &clause.findings {
            let written = finding.written(language);
            let _ = writeln!(text, "{:INDENT$}{}: {}", "", word(finding.state, language), written.evidence);
            if let Some(advice) = written.advice {
                let _ = writeln!(text, "{:INDENT$}  {advice}", "");
            }
        }
        let see = if language == Language::English { "see" } else { "参见" };
        let _ = writeln!(text, "{:INDENT$}{see}: {}", "", clause.shown_by);
    }
    text + &sum(clauses, language)
}

fn title(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Djcp => "GB/T 22239-2019 8.1.4, 等保2.0 level 3 (三级)",
        Scheme::Gdpr => "Regulation (EU) 2016/679 (GDPR)",
    }
}

fn sum(clauses: &[Clause], language: Language) -> String {
    let (separator, counts) = match language {
        Language::English => {
            (", ", State::ALL.map(|state| format!("{} {}", count(clauses, state), word(state, language))))
        }
        Language::Chinese => {
            ("，", State::ALL.map(|state| format!("{} {} 项", word(state, language), count(clauses, state))))
        }
    };
    format!("\n{}\n", counts.join(separator))
}

/// The words that assessors use.
fn word(state: State, language: Language) -> &'static str {
    match (language, state) {
        (Language::English, State::Met) => "met",
        (Language::English, State::Partly) => "partly",
        (Language::English, State::Unmet) => "unmet",
        (Language::English, State::Lacking) => "lacking",
        (Language::English, State::Outside) => "outside",
        (Language::Chinese, State::Met) => "符合",
        (Language::Chinese, State::Partly) => "部分符合",
        (Language::Chinese, State::Unmet) => "不符合",
        (Language::Chinese, State::Lacking) => "未提供",
        (Language::Chinese, State::Outside) => "不适用",
    }
}

/// A Chinese character takes two columns.
fn padded(state: State, language: Language) -> String {
    let word = word(state, language);
    let columns = match language {
        Language::English => word.len(),
        Language::Chinese => word.chars().count() * 2,
    };
    word.to_owned() + &" ".repeat(8_usize.saturating_sub(columns))
}
