//! One of `access.bindings` in the configuration: a role, whom it is bound to, and where it counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subject::Subject;

/// Who holds a role, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingConfig {
    /// The role: one of `roles`, or a built-in one.
    pub role: String,
    /// Whom it is bound to: `user:NAME`, `group:NAME`, `robot+NAME`, `workload:NAME`, `authenticated` (every user who logged in) or
    /// `anonymous` (everybody).
    pub subjects: Vec<Subject>,
    /// The only project in which the role counts. Unset, it counts everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}
