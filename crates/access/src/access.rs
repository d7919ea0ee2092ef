//! The front of this room: from credentials to a caller, and from a caller and a repository to a permit.

use std::fmt;
use std::sync::Arc;

use berth_catalog::Catalog;
use berth_oci::RepositoryName;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::account::{Accounts, Purpose};
use crate::action::{Action, Actions};
use crate::caller::{Caller, Identity};
use crate::config::{Config, ConfigError, OpenError};
use crate::credentials::Credentials;
use crate::error::{Denied, Reason, Unauthenticated};
use crate::federation::{Issuers, JOB};
use crate::permit::{CatalogPermit, NewProject, Permit, Right};
use crate::person::Persons;
use crate::policy::{Decision, Outcome, Rules};
use crate::read_only::ReadOnly;
use crate::resource::{Resource, project_of};
use crate::snapshot::{Gone, Snapshot, Source};
use crate::token::{Tokens, bearer};
use crate::verifier::Verifier;

/// Decides who calls and what they may do. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
    read_only: ReadOnly,
    persons: Option<Persons>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) issuers: Option<Arc<dyn Issuers>>,
}

struct Inner {
    verifier: Verifier,
    source: Source,
}

impl Access {
    /// Prepares the decisions of a configuration alone, which follow `read_only`: whoever makes that switch tells it what the
    /// configuration says of it. An unset `anonymous` means `none` here; whoever knows the listen addresses resolves it first with
    /// [`effective_anonymous`](crate::effective_anonymous).
    pub fn new(config: &Config, read_only: &ReadOnly) -> Result<Self, ConfigError> {
        Self::with_accounts(config, read_only, None)
    }

    /// Does the same, and knows the accounts that a catalog holds beside the users of the configuration.
    pub fn with_accounts(
        config: &Config,
        read_only: &ReadOnly,
        accounts: Option<Accounts>,
    ) -> Result<Self, ConfigError> {
        let rules = config.validate()?;
        Self::put_together(config, read_only, Source::of_rules(&Arc::new(rules)), accounts)
    }

    /// Prepares the decisions of a configuration and of what a catalog holds beside it. [`Access::follow`] keeps them up to date.
    pub async fn open(config: &Config, read_only: &ReadOnly, catalog: &Catalog) -> Result<Self, OpenError> {
        Self::open_with_accounts(config, read_only, catalog, None).await
    }

    /// Does the same, and lets those log in who have an account in the catalog.
    pub async fn open_with_accounts(
        config: &Config,
        read_only: &ReadOnly,
        catalog: &Catalog,
        accounts: Option<Accounts>,
    ) -> Result<Self, OpenError> {
        let rules = config.validate()?;
        let source = Source::open(&Arc::new(rules), catalog).await?;
        Ok(Self::put_together(config, read_only, source, accounts)?)
    }

    fn put_together(
        config: &Config,
        read_only: &ReadOnly,
        source: Source,
        accounts: Option<Accounts>,
    ) -> Result<Self, ConfigError> {
        let inner = Arc::new(Inner { verifier: Verifier::new(config, accounts)?, source });
        Ok(Self { inner, read_only: read_only.clone(), persons: None, tokens: None, issuers: None })
    }

    /// Follows what the catalog says of roles, bindings, projects, accounts and robots until `stop` turns true.
    pub async fn follow(&self, stop: watch::Receiver<bool>) {
        self.inner.source.follow(stop).await;
    }

    /// Heeds at once what was committed before this call: for whoever changed it.
    pub async fn refresh(&self) -> Result<(), berth_catalog::Error> {
        self.inner.source.refresh().await
    }

    /// Heeds what was committed before this call, and returns which generation of access decisions rest on from now on, or a later one.
    pub(crate) async fn refreshed(&self) -> Result<Option<i64>, berth_catalog::Error> {
        self.refresh().await?;
        Ok(self.generation())
    }

    /// Returns the catalog's generation of access that decisions rest on; `None` where there is no catalog.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.inner.source.snapshot().generation()
    }

    /// Returns the switch that forbids pushes and deletes.
    pub fn read_only(&self) -> &ReadOnly {
        &self.read_only
    }

    /// Lets logs know persons by their pseudonyms.
    #[must_use]
    pub fn with_persons(mut self, persons: Persons) -> Self {
        if let Some(accounts) = self.accounts() {
            accounts.know(persons.clone());
        }
        self.persons = Some(persons);
        self
    }

    /// Lets logs know a person who may never have called.
    pub(crate) async fn introduce(&self, name: &str) {
        if let Some(persons) = &self.persons
            && let Err(error) = persons.of(name).await
        {
            tracing::warn!(%error, "cannot give somebody a name in logs");
        }
    }

    /// Finds out how logs name a caller who was found out: to be asked of every caller before it does anything. Who comes by
    /// [`Access::authenticate`] has been.
    pub async fn name_in_logs(&self, caller: Caller) -> Caller {
        match &self.persons {
            Some(persons) => caller.logged_by(persons).await,
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
        if let (Some(tokens), Some(token)) = (&self.tokens, bearer(header)) {
            return self.bear(tokens, token).await;
        }
        match Credentials::parse(header)? {
            Some(credentials) if credentials.name() == JOB && self.issuers.is_some() => {
                self.exchange(str::from_utf8(credentials.password()).unwrap_or_default()).await
            }
            Some(credentials) => self.inner.verifier.verify(&credentials, self.generation()).await,
            None => Ok(Caller::anonymous()),
        }
    }

    /// Finds out whom a name, a password and a code of a second factor prove, at a login by a person: in a browser, or for the API.
    /// Nothing is believed because it was right before.
    pub async fn log_in(
        &self,
        name: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<Caller, Unauthenticated> {
        let caller = self.inner.verifier.log_in(name, password, Purpose::Person(code)).await?;
        Ok(self.name_in_logs(caller).await)
    }

    /// Returns the accounts that the catalog holds, if there is one.
    pub fn accounts(&self) -> Option<&Accounts> {
        self.inner.verifier.accounts()
    }

    /// Decides whether a caller may do `A` to a repository. The answer rests on memory alone.
    pub fn permit<A: Right>(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
    ) -> Result<Permit<A>, Denied> {
        let resource = Resource::Repository(repository);
        let granted = self.granted(caller, &resource);
        if !granted.has(A::ACTION) {
            Err(self.denied(caller, A::ACTION, &resource))
        } else if let Some(reason) = self.read_only.reason(A::ACTION) {
            // Only to those who could push otherwise: others have nothing to wait for.
            Err(Denied::new(A::ACTION, &resource, caller, reason))
        } else if A::ACTION != Action::Pull && caller.is_unnamed() {
            Err(Denied::new(A::ACTION, &resource, caller, Reason::Unnamed))
        } else {
            let new_project = if A::ACTION == Action::Push {
                self.new_project(caller, repository)
            } else {
                NewProject::NotGranted
            };
            Ok(Permit::new(repository.clone(), caller.clone(), granted).with_project(new_project))
        }
    }

    /// Decides whether a push may make the project that it is for, should there be none. A token that is good for the repository is
    /// good for that.
    fn new_project(&self, caller: &Caller, repository: &RepositoryName) -> NewProject {
        let snapshot = self.inner.source.snapshot();
        let project = Resource::Project(project_of(repository));
        if !snapshot.rules().create_projects {
            NewProject::SwitchedOff
        } else if snapshot.roles_grant(caller, &project, self.now()).has(Action::Create) {
            NewProject::Granted
        } else {
            NewProject::NotGranted
        }
    }

    /// Decides whether a caller may list repositories; the permit says which.
    pub fn catalog(&self, caller: &Caller) -> Result<CatalogPermit, Denied> {
        let snapshot = self.inner.source.snapshot_full();
        let (now, in_scope) = (self.now(), caller.scope().is_none_or(|scope| scope.catalog));
        match (in_scope, snapshot.may_list(caller, now)) {
            (true, true) => Ok(CatalogPermit::new(caller.clone(), snapshot, now)),
            (false, true) => Err(Denied::listing(caller, Reason::OutOfScope)),
            (_, false) => Err(Denied::listing(caller, self.reason(caller))),
        }
    }

    /// Returns all that a caller may do to a resource.
    pub fn granted(&self, caller: &Caller, resource: &Resource<'_>) -> Actions {
        self.inner.source.snapshot().granted(caller, resource, self.now())
    }

    /// Decides whether a caller may do something to a resource, and says why, or why not.
    pub fn decide(&self, caller: &Caller, action: Action, resource: &Resource<'_>) -> Decision {
        self.inner.source.snapshot().decide(caller, action, resource, self.now())
    }

    /// Tells whether somebody to whom a token or a session was issued at a moment still stands, and so does what proved it.
    pub(crate) fn stands(&self, caller: &Caller, issued_at: Timestamp) -> Result<(), Gone> {
        self.inner.source.snapshot().stands(caller, issued_at, self.now())
    }

    /// Tells whether a caller who was found out before still stands: to be asked again before something is done at the end of a request
    /// whose body took its time. The answer rests on memory alone.
    ///
    /// # Errors
    /// [`Unauthenticated::Meanwhile`].
    pub fn still_stands(&self, caller: &Caller) -> Result<(), Unauthenticated> {
        match caller.as_of() {
            // Of those whom a configuration alone knows nothing ends.
            Some(as_of) if self.generation().is_some() => {
                self.stands(caller, as_of).map_err(Unauthenticated::Meanwhile)
            }
            _ => Ok(()),
        }
    }

    /// Returns what the configuration says of roles.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(self.inner.source.snapshot().rules())
    }

    /// Tells whether a call to `/v2/` without credentials must be challenged.
    ///
    /// It is where logging in would allow more: docker learns there, and only there, that it may send credentials to push. Sent for
    /// a token, a docker that has none gets one for what everybody may do, and goes on. Asked for a password, where tokens are
    /// switched off, it takes that for a refusal and can't pull, while containerd, podman, skopeo and others can.
    pub fn challenge_needed(&self) -> bool {
        let everybody = self.inner.source.snapshot().everywhere_for_everybody();
        let writes =
            [Action::Create, Action::Update, Action::Delete].into_iter().all(|action| everybody.has(action));
        !everybody.has(Action::Pull) || (self.has_users() && !writes)
    }

    /// Tells whether anybody can log in.
    pub fn has_users(&self) -> bool {
        self.inner.source.snapshot().has_users()
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

    pub(crate) fn denied(&self, caller: &Caller, action: Action, resource: &Resource<'_>) -> Denied {
        let decision = self.decide(caller, action, resource);
        let reason = match decision.outcome {
            Outcome::OutOfScope => Reason::OutOfScope,
            _ => self.reason(caller),
        };
        Denied::new(action, resource, caller, reason).because(decision)
    }

    pub(crate) fn is_in(&self, caller: &Caller, group: &str) -> bool {
        self.inner.source.snapshot().groups_of(caller).iter().any(|known| **known == *group)
    }

    pub(crate) fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.inner.source.snapshot()
    }

    /// Tells whether there is such a user or robot.
    pub(crate) fn knows(&self, identity: &Identity) -> bool {
        self.inner.source.snapshot().knows(identity)
    }

    /// Returns the groups that a caller is in now.
    pub(crate) fn groups_of(&self, caller: &Caller) -> Arc<[Arc<str>]> {
        self.inner.source.snapshot().groups_of(caller).into()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.source.clock().now()
    }

    fn reason(&self, caller: &Caller) -> Reason {
        if caller.is_anonymous() && self.has_users() { Reason::CredentialsNeeded } else { Reason::Forbidden }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("source", &self.inner.source).finish_non_exhaustive()
    }
}
