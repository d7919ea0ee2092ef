//! Permits for work that the operator of the machine ordered by a command: for all, unless read-only.

use berth_oci::RepositoryName;

use crate::action::Actions;
use crate::caller::{Caller, Identity, Proof};
use crate::error::Denied;
use crate::permit::{NewProject, Permit, Right};
use crate::read_only::ReadOnly;
use crate::resource::Resource;

/// Decides for work that the operator of the machine ordered by a command, such as an import: who may write to the data directory or
/// the database may do all, but nothing is changed while the registry is read-only.
#[derive(Debug, Clone)]
pub struct Operator {
    work: &'static str,
    read_only: ReadOnly,
}

impl Operator {
    /// Speaks for the work of this name, which events and uploads will bear. It must have a colon: users' names have none.
    pub fn new(work: &'static str, read_only: &ReadOnly) -> Self {
        debug_assert!(work.contains(':'), "{work} could be a user");
        Self { work, read_only: read_only.clone() }
    }

    /// Permits the work to do `A` to a repository.
    pub fn permit<A: Right>(&self, repository: &RepositoryName) -> Result<Permit<A>, Denied> {
        let caller = Caller::new(Identity::Work(self.work), Proof::Order);
        if let Some(reason) = self.read_only.reason(A::ACTION) {
            return Err(Denied::new(A::ACTION, &Resource::Repository(repository), &caller, reason));
        }
        Ok(Permit::new(repository.clone(), caller, Actions::ALL).with_project(NewProject::Granted))
    }
}
