//! A clause, and what its findings come to: met, partly, unmet, lacking, or not a registry's to do.

use serde::Serialize;

use super::finding::{Finding, Language, Written};

/// Whose clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scheme {
    /// GB/T 22239-2019 8.1.4, level 3.
    Djcp,
    /// Regulation (EU) 2016/679.
    Gdpr,
}

/// How an installation stands against a clause, from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// What Berth has for it is not in use.
    Unmet,
    /// Something is to be done.
    Partly,
    /// All that a registry can do is done.
    Met,
    /// Berth has nothing for it.
    Lacking,
    /// Not a registry's to do.
    Outside,
}

/// A clause, and how the installation stands against it.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) scheme: Scheme,
    /// As the text numbers it.
    pub(super) number: &'static str,
    /// What it asks for, in a few words, in English and Chinese.
    asks: (&'static str, &'static str),
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    /// The command or call that shows more.
    pub(super) shown_by: &'static str,
}

/// A clause in the language of its reader.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WrittenClause<'a> {
    scheme: Scheme,
    number: &'a str,
    asks: &'a str,
    state: State,
    findings: Vec<Written<'a>>,
    shown_by: &'a str,
}

impl Clause {
    pub(super) fn new(
        scheme: Scheme,
        number: &'static str,
        asks: (&'static str, &'static str),
        shown_by: &'static str,
        findings: impl Into<Vec<Finding>>,
    ) -> Self {
        let findings = findings.into();
        let state = state_of(&findings);
        Self { scheme, number, asks, state, findings, shown_by }
    }

    pub(super) fn asks(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.asks.0,
            Language::Chinese => self.asks.1,
        }
    }

    pub(super) fn written(&self, language: Language) -> WrittenClause<'_> {
        WrittenClause {
            scheme: self.scheme,
            number: self.number,
            asks: self.asks(language),
            state: self.state,
            findings: self.findings.iter().map(|finding| finding.written(language)).collect(),
            shown_by: self.shown_by,
        }
    }
}

impl State {
    /// All of them, the best first.
    pub(super) const ALL: [Self; 5] = [Self::Met, Self::Partly, Self::Unmet, Self::Lacking, Self::Outside];

    /// Whether there is nothing that somebody could do about it with this version.
    pub(super) fn is_settled(self) -> bool {
        !matches!(self, Self::Unmet | Self::Partly)
    }
}

/// Counts the clauses that stand so.
pub(super) fn count(clauses: &[Clause], state: State) -> usize {
    clauses.iter().filter(|clause| clause.state == state).count()
}

/// Outside counts only where it is all there is; else a clause is as good as its findings: some met and some not is partly.
pub(super) fn state_of(findings: &[Finding]) -> State {
    let mut inside = findings.iter().map(|finding| finding.state).filter(|state| *state != State::Outside);
    let Some(first) = inside.next() else { return State::Outside };
    inside.fold(first, |all, state| if all == state { all } else { State::Partly })
}
