use std::fmt;
use std::marker::PhantomData;

use berth_oci::RepositoryName;

use crate::caller::Caller;

mod sealed {
    use crate::rights::Rights;

    /// Names the least rights an action needs, where other crates can neither see nor add one.
    pub trait Needs {
        const RIGHTS: Rights;
    }
}

pub(crate) use sealed::Needs;

use crate::rights::Rights;

/// Something a caller may be permitted to do to a repository.
pub trait Action: Needs + Send + Sync + 'static {
    /// The word for it in messages, logs and metrics.
    const NAME: &'static str;
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

impl Needs for Pull {
    const RIGHTS: Rights = Rights::Read;
}

impl Action for Pull {
    const NAME: &'static str = "pull";
}

impl Needs for Push {
    const RIGHTS: Rights = Rights::Write;
}

impl Action for Push {
    const NAME: &'static str = "push";
}

impl Needs for Delete {
    const RIGHTS: Rights = Rights::Write;
}

impl Action for Delete {
    const NAME: &'static str = "delete";
}

/// Proof that access was decided: `caller` may do `A` to `repository`.
///
/// Only [`Access::permit`](crate::Access::permit) makes one:
///
/// ```compile_fail
/// use berth_access::{Caller, Permit, Pull};
/// let forged = Permit::<Pull> { repository: "library/nginx".parse().unwrap(), caller: Caller::Anonymous };
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
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Permit<A> {
    pub(crate) fn new(repository: RepositoryName, caller: Caller) -> Self {
        Self { repository, caller, action: PhantomData }
    }

    /// Returns the one repository the permit is for.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Returns who was permitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

// By hand: a derive would ask `A` to be Clone.
impl<A> Clone for Permit<A> {
    fn clone(&self) -> Self {
        Self { repository: self.repository.clone(), caller: self.caller.clone(), action: PhantomData }
    }
}

impl<A: Action> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({} may {} {})", self.caller, A::NAME, self.repository)
    }
}

/// Proof that a caller may list repositories, and which of them it may see.
#[derive(Debug, Clone)]
pub struct CatalogPermit {
    caller: Caller,
}

impl CatalogPermit {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// Returns who was permitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Tells whether the caller may know that a repository exists.
    // Rights are the same for all repositories so far; the registry filters through this already.
    pub fn allows(&self, _repository: &RepositoryName) -> bool {
        true
    }
}
