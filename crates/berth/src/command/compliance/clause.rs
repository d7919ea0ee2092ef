use serde::Serialize;

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
    /// Not a registry's to do.
    Outside,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unmet => "unmet",
            Self::Partly => "partly",
            Self::Met => "met",
            Self::Outside => "outside",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What is so.
    pub(super) evidence: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<&'static str>,
}

impl Finding {
    pub(super) fn met(evidence: impl Into<String>) -> Self {
        Self { state: State::Met, evidence: evidence.into(), advice: None }
    }

    pub(super) fn partly(evidence: impl Into<String>, advice: &'static str) -> Self {
        Self { state: State::Partly, evidence: evidence.into(), advice: Some(advice) }
    }

    pub(super) fn unmet(evidence: impl Into<String>, advice: &'static str) -> Self {
        Self { state: State::Unmet, evidence: evidence.into(), advice: Some(advice) }
    }

    pub(super) fn outside(evidence: impl Into<String>) -> Self {
        Self { state: State::Outside, evidence: evidence.into(), advice: None }
    }

    /// Met if it is so, else `fallback`.
    pub(super) fn if_so(so: bool, evidence: &str, fallback: impl FnOnce() -> Self) -> Self {
        if so { Self::met(evidence) } else { fallback() }
    }
}

/// A clause, and how the installation stands against it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Clause {
    pub(super) scheme: Scheme,
    /// As the text numbers it.
    pub(super) number: &'static str,
    /// What it asks for, in a few words.
    pub(super) asks: &'static str,
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    /// The command or call that shows more.
    pub(super) shown_by: &'static str,
}

impl Clause {
    pub(super) fn new(
        scheme: Scheme,
        (number, asks, shown_by): (&'static str, &'static str, &'static str),
        findings: impl Into<Vec<Finding>>,
    ) -> Self {
        let findings = findings.into();
        let state = state_of(&findings);
        Self { scheme, number, asks, state, findings, shown_by }
    }
}

/// Outside counts only where it is all there is; else a clause is as good as its findings: some met and some not is partly.
fn state_of(findings: &[Finding]) -> State {
    let mut inside = findings.iter().map(|finding| finding.state).filter(|state| *state != State::Outside);
    let Some(first) = inside.next() else { return State::Outside };
    inside.fold(first, |all, state| if all == state { all } else { State::Partly })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_stands_as_its_findings_do() {
        let (met, partly, unmet) = (Finding::met("a"), Finding::partly("b", "do"), Finding::unmet("c", "do"));
        let outside = Finding::outside("d");
        for (findings, expected) in [
            (vec![met.clone(), met.clone()], State::Met),
            (vec![met.clone(), outside.clone()], State::Met),
            (vec![outside.clone()], State::Outside),
            (vec![met.clone(), unmet.clone()], State::Partly),
            (vec![met, partly], State::Partly),
            (vec![unmet.clone(), unmet, outside], State::Unmet),
        ] {
            assert_eq!(state_of(&findings), expected, "{findings:?}");
        }
    }
}
