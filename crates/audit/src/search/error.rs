//! What can be wrong with a search, in Elasticsearch's words and shape.

use serde_json::{Value, json};

/// A search was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct Error {
    /// Elasticsearch's word for it.
    pub kind: &'static str,
    /// The part that is wrong, and why.
    pub reason: String,
    /// Status of the answer.
    pub status: u16,
}

/// Result of reading or running a search.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What the body says can't be read, or is not supported.
    pub(crate) fn parsing(reason: impl Into<String>) -> Self {
        Self { kind: "parsing_exception", reason: reason.into(), status: 400 }
    }

    /// What it says makes no sense.
    pub(crate) fn argument(reason: impl Into<String>) -> Self {
        Self { kind: "illegal_argument_exception", reason: reason.into(), status: 400 }
    }

    /// A value can't be one of its field.
    pub(crate) fn value(field: &str, reason: impl std::fmt::Display) -> Self {
        Self {
            kind: "query_shard_exception",
            reason: format!("failed to create query: {reason} (field [{field}])"),
            status: 400,
        }
    }

    /// A date can't be read.
    pub(crate) fn date(reason: impl Into<String>) -> Self {
        Self { kind: "parse_exception", reason: reason.into(), status: 400 }
    }

    /// A field that documents show can't be searched.
    pub(crate) fn not_indexed(field: &str) -> Self {
        Self {
            kind: "query_shard_exception",
            reason: format!("Cannot search on field [{field}] since it is not indexed."),
            status: 400,
        }
    }

    /// A search asks for more than one may.
    pub(crate) fn too_many(reason: impl Into<String>) -> Self {
        Self { kind: "too_many_clauses", reason: reason.into(), status: 400 }
    }

    /// An aggregation would make more buckets than one may.
    pub(crate) fn too_many_buckets(limit: usize) -> Self {
        Self {
            kind: "too_many_buckets_exception",
            reason: format!(
                "Trying to create too many buckets. Must be less than or equal to: [{limit}]. Take a larger interval, a smaller size or a shorter range."
            ),
            status: 400,
        }
    }

    /// There is no such index.
    pub fn no_index(name: &str) -> Self {
        Self { kind: "index_not_found_exception", reason: format!("no such index [{name}]"), status: 404 }
    }

    /// The answer took longer than a search may.
    pub(crate) fn slow(seconds: u64) -> Self {
        Self {
            kind: "search_timeout_exception",
            reason: format!(
                "Time exceeded: no answer within {seconds} s. Narrow it: a shorter range of @timestamp, or a term of action, user.name or berth.repository."
            ),
            status: 400,
        }
    }

    /// Too many searches at once.
    pub fn busy() -> Self {
        Self {
            kind: "es_rejected_execution_exception",
            reason: "too many searches at once; try again in a few seconds".into(),
            status: 429,
        }
    }

    /// Returns the body of the answer.
    pub fn to_json(&self) -> Value {
        let cause = json!({ "type": self.kind, "reason": self.reason });
        let mut error = cause.clone();
        error["root_cause"] = json!([cause]);
        json!({ "error": error, "status": self.status })
    }
}

impl From<berth_catalog::Error> for Error {
    fn from(error: berth_catalog::Error) -> Self {
        // What the database says is for the log.
        tracing::error!(%error, "a search of the audit trail failed");
        Self {
            kind: "search_phase_execution_exception",
            reason: "the audit trail can't be read; the registry's log says why".into(),
            status: 503,
        }
    }
}
