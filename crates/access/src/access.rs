use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use berth_oci::RepositoryName;

use crate::action::{Action, Actions};
use crate::caller::{Caller, Identity};
use crate::config::{Anonymous, Config, ConfigError};
use crate::credentials::Credentials;
use crate::error::{Denied, Reason, Unauthenticated};
use crate::permit::{CatalogPermit, Permit, Right};
use crate::read_only::ReadOnly;
use crate::rights::Rights;
use crate::subject::Subjects;
use crate::verifier::Verifier;

/// Decides who calls and what they may do. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
    read_only: ReadOnly,
    subjects: Option<Subjects>,
}

struct Inner {
    anonymous: Rights,
    users: HashMap<Arc<str>, Rights>,
    verifier: Verifier,
}

impl Access {
    /// Prepares the decisions of a configuration, which follow `read_only`: whoever makes that switch tells it what the configuration
    /// says of it. An unset `anonymous` means `none` here; whoever knows the listen addresses resolves it first with
    /// [`effective_anonymous`](crate::effective_anonymous).
    pub fn new(config: &Config, read_only: &ReadOnly) -> Result<Self, ConfigError> {
        config.validate()?;
        let anonymous = Rights::from(config.anonymous.unwrap_or(Anonymous::None));
        // Logging in never takes away what the caller could do without.
        let users = config
            .users
            .iter()
            .map(|user| (Arc::from(user.name.as_str()), Rights::from(user.access).max(anonymous)))
            .collect();
        let inner = Arc::new(Inner { anonymous, users, verifier: Verifier::new(config)? });
        Ok(Self { inner, read_only: read_only.clone(), subjects: None })
    }

    /// Returns the switch that forbids pushes and deletes.
    pub fn read_only(&self) -> &ReadOnly {
        &self.read_only
    }

    /// Lets logs know persons by their pseudonyms.
    #[must_use]
    pub fn with_subjects(mut self, subjects: Subjects) -> Self {
        self.subjects = Some(subjects);
        self
    }

    /// Finds out how logs name a caller who was found out: to be asked of every caller before it does anything. Who comes by
    /// [`Access::authenticate`] has been.
    pub async fn name_in_logs(&self, caller: Caller) -> Caller {
        match &self.subjects {
            Some(subjects) => caller.logged_by(subjects).await,
            None => caller,
        }
    }

    /// Finds out who calls from the value of the `Authorization` header.
    ///
    /// Right credentials are believed for `credential_cache_seconds`; others cost one argon2 hash, computed off the
    /// runtime's threads. Requests with the same credentials at the same time share it.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Unauthenticated> {
        Ok(self.name_in_logs(self.prove(authorization).await?).await)
    }

    async fn prove(&self, authorization: Option<&str>) -> Result<Caller, Unauthenticated> {
        let Some(header) = authorization else { return Ok(Caller::anonymous()) };
        match Credentials::parse(header)? {
            Some(credentials) => self.inner.verifier.verify(&credentials).await,
            None => Ok(Caller::anonymous()),
        }
    }

    /// Decides whether a caller may do `A` to a repository.
    pub fn permit<A: Right>(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
    ) -> Result<Permit<A>, Denied> {
        let granted = self.granted(caller, repository);
        if !granted.has(A::ACTION) {
            Err(Denied::new(A::ACTION, Some(repository), caller, self.reason(caller)))
        } else if A::ACTION != Action::Pull && self.read_only.is_on() {
            // Only to those who could push otherwise: others have nothing to wait for.
            let reason = if self.read_only.is_moved() { Reason::Moved } else { Reason::ReadOnly };
            Err(Denied::new(A::ACTION, Some(repository), caller, reason))
        } else if A::ACTION != Action::Pull && caller.is_unnamed() {
            Err(Denied::new(A::ACTION, Some(repository), caller, Reason::Unnamed))
        } else {
            Ok(Permit::new(repository.clone(), caller.clone(), granted))
        }
    }

    /// Decides whether a caller may list repositories.
    pub fn catalog(&self, caller: &Caller) -> Result<CatalogPermit, Denied> {
        if self.rights(caller) >= Rights::Read {
            Ok(CatalogPermit::new(caller.clone()))
        } else {
            Err(Denied::new(Action::List, None, caller, self.reason(caller)))
        }
    }

    /// Tells whether a call to `/v2/` without credentials must be challenged.
    ///
    /// It is where logging in would allow more: docker learns there, and only there, that it may send credentials to push.
    /// The price is that a docker without credentials takes the challenge for a refusal and can't pull from a registry that
    /// has users, while containerd, podman, skopeo and others can. Tokens, which offer both, end that.
    pub fn challenge_needed(&self) -> bool {
        self.inner.anonymous < Rights::Read || (self.has_users() && self.inner.anonymous < Rights::Write)
    }

    /// Tells whether anybody can log in.
    pub fn has_users(&self) -> bool {
        !self.inner.users.is_empty()
    }

    /// Number of argon2 hashes computed since start, for metrics.
    pub fn password_hashes(&self) -> u64 {
        self.inner.verifier.hashes()
    }

    #[cfg(test)]
    pub(crate) fn hold_logins(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.inner.verifier.hold()
    }

    #[cfg(test)]
    pub(crate) fn logins_in_flight(&self) -> usize {
        self.inner.verifier.in_flight()
    }

    fn rights(&self, caller: &Caller) -> Rights {
        match caller.identity() {
            Identity::User(name) => self.inner.users.get(name).copied().unwrap_or(self.inner.anonymous),
            // What an operator ordered does not come in by HTTP.
            _ => self.inner.anonymous,
        }
    }

    fn granted(&self, caller: &Caller, repository: &RepositoryName) -> Actions {
        let granted = self.rights(caller).actions();
        match caller.scope() {
            None => granted,
            Some(scope) => granted.iter().filter(|action| scope.allows(repository, *action)).collect(),
        }
    }

    fn reason(&self, caller: &Caller) -> Reason {
        if caller.is_anonymous() && self.has_users() { Reason::CredentialsNeeded } else { Reason::Forbidden }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("anonymous", &self.inner.anonymous)
            .field("users", &self.inner.users)
            .finish_non_exhaustive()
    }
}
