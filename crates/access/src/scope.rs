use std::collections::BTreeMap;

use berth_oci::RepositoryName;

use crate::action::{Action, Actions};

/// What a token allows at most. It grants nothing by itself: roles are asked again at every use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// What may be done to which repository: exactly these names, no patterns.
    pub repositories: BTreeMap<RepositoryName, Actions>,
    /// Whether repositories may be listed (`registry:catalog:*`).
    pub catalog: bool,
}

impl Scope {
    /// Tells whether `action` on `repository` is within it.
    pub fn allows(&self, repository: &RepositoryName, action: Action) -> bool {
        self.repositories.get(repository).is_some_and(|actions| actions.has(action))
    }
}
