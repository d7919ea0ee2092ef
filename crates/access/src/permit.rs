//! Proof that access was decided: for one action on one repository, or for the list of repositories.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use berth_oci::RepositoryName;
use jiff::Timestamp;

use crate::action::{Action, Actions};
use crate::caller::Caller;
use crate::snapshot::Snapshot;

mod sealed {
    /// Other crates can't add a right.
    pub trait Sealed {}
}

/// An action that a caller may be permitted to do to a repository.
pub trait Right: sealed::Sealed + Send + Sync + 'static {
    /// The action.
    const ACTION: Action;
}

/// Reading: manifests, blobs, tags, referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pull;

/// Writing: uploads, mounts, manifests, tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push;

/// Removing: tags, manifests, blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete;

impl sealed::Sealed for Pull {}

impl Right for Pull {
    const ACTION: Action = Action::Pull;
}

impl sealed::Sealed for Push {}

impl Right for Push {
    const ACTION: Action = Action::Push;
}

impl sealed::Sealed for Delete {}

impl Right for Delete {
    const ACTION: Action = Action::Delete;
}

/// Proof that access was decided: `caller` may do `A` to `repository`.
///
/// Only [`Access::permit`](crate::Access::permit) makes one:
///
/// ```compile_fail
/// use berth_access::{Caller, Permit, Pull};
/// let forged = Permit::<Pull> { repository: "library/nginx".parse().unwrap(), caller: Caller::anonymous() };
/// ```
///
/// and the permit for one action is not the permit for another:
///
/// ```compile_fail
/// use berth_access::{Permit, Pull, Push};
/// fn push(_: &Permit<Push>) {}
/// fn pull(permit: &Permit<Pull>) { push(permit) }
/// ```
pub struct Permit<A> {
    repository: RepositoryName,
    caller: Caller,
    granted: Actions,
    new_project: NewProject,
    action: PhantomData<fn() -> A>,
}

/// Whether a push may make the project that it is for, should there be none. Whoever does gets nothing by it: what may be done in the
/// new project was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewProject {
    /// It may.
    Granted,
    /// The caller may not create this project.
    NotGranted,
    /// Pushes make no projects here.
    SwitchedOff,
}

impl<A: Right> Permit<A> {
    pub(crate) fn new(repository: RepositoryName, caller: Caller, granted: Actions) -> Self {
        Self { repository, caller, granted, new_project: NewProject::NotGranted, action: PhantomData }
    }

    pub(crate) fn with_project(self, new_project: NewProject) -> Self {
        Self { new_project, ..self }
    }

    /// Returns the one repository the permit is for.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Returns who was permitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns all that the caller may do to the repository: which of `create`, `update` and `sign` a push is decides its transaction,
    /// where nobody can change the answer any more.
    pub fn granted(&self) -> Actions {
        self.granted
    }

    /// Returns whether this push may make its project, should there be none.
    pub fn new_project(&self) -> NewProject {
        self.new_project
    }
}

// By hand: a derive would ask `A` to be Clone.
impl<A> Clone for Permit<A> {
    fn clone(&self) -> Self {
        Self {
            repository: self.repository.clone(),
            caller: self.caller.clone(),
            granted: self.granted,
            new_project: self.new_project,
            action: PhantomData,
        }
    }
}

impl<A: Right> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({} may {} {})", self.caller, A::ACTION, self.repository)
    }
}

/// Proof that a caller may list repositories, and which of them it may see.
#[derive(Debug, Clone)]
pub struct CatalogPermit {
    caller: Caller,
    snapshot: Arc<Snapshot>,
    at: Timestamp,
}

impl CatalogPermit {
    pub(crate) fn new(caller: Caller, snapshot: Arc<Snapshot>, at: Timestamp) -> Self {
        Self { caller, snapshot, at }
    }

    /// Tells whether the caller may know that a repository exists: it lies in a public project, or a role allows to list it.
    pub fn allows(&self, repository: &RepositoryName) -> bool {
        self.snapshot.may_see(&self.caller, repository, self.at)
    }
}
