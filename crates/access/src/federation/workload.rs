//! The `access.workloads` part of the configuration: jobs let in by their tokens, and what they may do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets jobs in that another service vouches for, such as a CI system, without a secret of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Names the policy: jobs are `ci:NAME/SUBJECT` in logs. Lower-case letters, digits and `-`.
    pub name: String,
    /// Who signs the jobs' tokens, exactly as in their `iss`.
    pub issuer: String,
    /// Whom the tokens must be made for: this registry, by a name that no other service accepts.
    pub audience: OneOrMany,
    /// What the tokens must say. Each claim must have the value, or one of the values, given here; `*` stands for any
    /// characters but `/`, `**` for any. A claim that begins with `/` is a JSON pointer: `/kubernetes.io/namespace`.
    pub claims: BTreeMap<String, OneOrMany>,
    /// What the jobs may do.
    pub grants: Vec<Grant>,
    /// Seconds that a token of Berth's is good which a job gets for its own: 60 to 3600.
    #[serde(default = "lifetime")]
    #[schemars(range(min = 60, max = 3600))]
    pub lifetime_seconds: u32,
    /// Takes each token once, by its `jti`, which it must have. For jobs that exchange it; `docker login` shows it several times.
    #[serde(default)]
    pub single_use: bool,
    /// Authorities to trust beside the system's when the issuer's keys are read, as a PEM file.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The issuer's keys as a JWK set, for one that can't be asked from here. Read at every start.
    #[serde(default)]
    pub keys_file: Option<PathBuf>,
}

/// A role that jobs have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name.
    pub role: String,
    /// The project in which they have it; none for everywhere.
    #[serde(default)]
    pub project: Option<String>,
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Returns them all.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

fn lifetime() -> u32 {
    900
}
