//! Projects, as pushes meet them: the first one to a project makes it, for those who may.

use berth_access::{NewProject, Permit, Push, project_of};
use berth_catalog::repository::Repository;
use berth_catalog::{Tx, project, repository};
use berth_oci::RepositoryName;
use jiff::Timestamp;

use crate::{Error, Result};

/// Who pushes to where, and whether that may make the project; outlives the request.
#[derive(Debug, Clone)]
pub(crate) struct Founder {
    pub(crate) caller: String,
    /// The same as logs name it.
    pub(crate) logged: String,
    pub(crate) may: NewProject,
}

impl Founder {
    pub(crate) fn of(permit: &Permit<Push>) -> Self {
        let (caller, logged) = (permit.caller().name().to_owned(), permit.caller().author().name);
        Self { caller, logged, may: permit.new_project() }
    }

    /// Finds the repository that is pushed to, or makes it.
    pub(crate) async fn ensure(
        &self,
        tx: &mut Tx,
        name: &RepositoryName,
        now: Timestamp,
    ) -> Result<Repository> {
        match repository::find(tx, name).await? {
            Some(known) => Ok(known),
            None => self.found(tx, name, now).await,
        }
    }

    /// Makes a repository that is not there, and its project if that is not there either: in the push's own transaction, so that
    /// neither is left behind by a push that fails. A new project is private and has no members; who made it gets nothing by that.
    pub(crate) async fn found(
        &self,
        tx: &mut Tx,
        name: &RepositoryName,
        now: Timestamp,
    ) -> Result<Repository> {
        let project = project_of(name);
        if project::find(tx, project).await?.is_none() {
            // Older than projects are, or restored from a time when there were none.
            let known = project::holds_repository(tx, project).await?;
            if !known && self.may != NewProject::Granted {
                let (project, caller) = (project.to_owned(), self.caller.clone());
                return Err(Error::NoProject { project, caller, why: self.may });
            }
            let by = if known { "" } else { self.logged.as_str() };
            project::insert(tx, project, false, by, now).await?;
        }
        Ok(repository::ensure(tx, name, now).await?)
    }
}
