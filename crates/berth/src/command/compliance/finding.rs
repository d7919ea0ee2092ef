//! One thing that was looked at for a clause: evidence and advice, in English and Chinese.

use serde::Serialize;

use super::clause::State;

/// The language of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    english: String,
    chinese: String,
}

impl Said {
    /// Returns one of the two.
    pub(super) fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }
}

impl<T: Into<String>> From<(T, T)> for Said {
    fn from((english, chinese): (T, T)) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What is so.
    pub(super) evidence: Said,
    /// What to do about it.
    pub(super) advice: Option<Said>,
}

/// A finding in the language of its reader.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Written<'a> {
    pub(super) state: State,
    pub(super) evidence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<&'a str>,
}

impl Finding {
    pub(super) fn met(evidence: impl Into<Said>) -> Self {
        Self { state: State::Met, evidence: evidence.into(), advice: None }
    }

    pub(super) fn partly(evidence: impl Into<Said>, advice: (&'static str, &'static str)) -> Self {
        Self { state: State::Partly, evidence: evidence.into(), advice: Some(advice.into()) }
    }

    pub(super) fn unmet(evidence: impl Into<Said>, advice: (&'static str, &'static str)) -> Self {
        Self { state: State::Unmet, evidence: evidence.into(), advice: Some(advice.into()) }
    }

    pub(super) fn lacking(evidence: impl Into<Said>, advice: (&'static str, &'static str)) -> Self {
        Self { state: State::Lacking, evidence: evidence.into(), advice: Some(advice.into()) }
    }

    pub(super) fn outside(evidence: impl Into<Said>) -> Self {
        Self { state: State::Outside, evidence: evidence.into(), advice: None }
    }

    pub(super) fn written(&self, language: Language) -> Written<'_> {
        Written {
            state: self.state,
            evidence: self.evidence.of(language),
            advice: self.advice.as_ref().map(|advice| advice.of(language)),
        }
    }
}
