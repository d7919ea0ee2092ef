//! What a token of Berth's allows at most: actions on single repositories, and the list of repositories.

use std::collections::BTreeMap;

use berth_oci::RepositoryName;

use crate::action::Actions;

/// What a token allows at most. It grants nothing by itself: roles are asked again at every use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// What may be done to which repository: exactly these names, no patterns.
    pub repositories: BTreeMap<RepositoryName, Actions>,
    /// Whether repositories may be listed (`registry:catalog:*`).
    pub catalog: bool,
}
