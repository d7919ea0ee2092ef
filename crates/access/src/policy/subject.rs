//! Whom a role is bound to, as texts such as `user:NAME` say it.

use std::fmt;
use std::str::FromStr;

use berth_catalog::binding::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 512;

/// Whom a role is bound to: `user:NAME`, `group:NAME`, `robot+NAME`, `workload:NAME`, `authenticated` or `anonymous`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Subject {
    kind: Kind,
    name: String,
}

/// A text that names no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names nobody; use user:NAME, group:NAME, robot+NAME, workload:NAME, authenticated or anonymous"
)]
pub struct SubjectError(String);

impl Subject {
    /// Names a subject of a kind. The name is without meaning for everybody and for all users.
    pub fn new(kind: Kind, name: &str) -> Result<Self, SubjectError> {
        let wrong =
            || SubjectError(format!("{}:{}", kind.as_str(), name.chars().take(64).collect::<String>()));
        if matches!(kind, Kind::Authenticated | Kind::Anonymous) {
            return if name.is_empty() { Ok(Self { kind, name: String::new() }) } else { Err(wrong()) };
        }
        let clean = !name.is_empty() && name.len() <= MAX_BYTES && !name.chars().any(char::is_control);
        let is_robot = name.starts_with("robot+");
        let fits = match kind {
            Kind::Robot => is_robot,
            Kind::User => !is_robot && !name.contains(':'),
            _ => true,
        };
        if clean && fits { Ok(Self { kind, name: name.to_owned() }) } else { Err(wrong()) }
    }

    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its name; empty for everybody and for all users.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let wrong = || SubjectError(text.chars().take(64).collect());
        if let Some(rest) = text.strip_prefix("robot$") {
            return Self::new(Kind::Robot, &format!("robot+{rest}"));
        }
        if text.starts_with("robot+") {
            return Self::new(Kind::Robot, text);
        }
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let kind: Kind = kind.parse().map_err(|()| wrong())?;
        Self::new(kind, name).map_err(|_| wrong())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Robot => f.write_str(&self.name),
            Kind::Authenticated | Kind::Anonymous => f.write_str(self.kind.as_str()),
            kind => write!(f, "{}:{}", kind.as_str(), self.name),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}
