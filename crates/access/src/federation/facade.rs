//! What the rest of the house asks of identities that others vouch for, and of browser sessions.

use std::sync::Arc;

use berth_catalog::spent;

use super::{Directory, Issuers, Proven, Refused};
use crate::access::Access;
use crate::account::name::canonical_robot;
use crate::account::{Accounts, Error, RandomSecret, caller};
use crate::caller::{Caller, Identity, Proof};
use crate::error::Unauthenticated;

/// The name that stands for the token of a job, given as the password.
pub(crate) const JOB: &str = "oidc";

/// A little longer than clocks may differ.
const LEEWAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

impl Access {
    /// Asks `directory` about users that Berth does not know itself. Needs accounts.
    #[must_use]
    pub fn with_directory(self, directory: Arc<dyn Directory>) -> Self {
        if let Some(accounts) = self.accounts() {
            accounts.ask(directory);
        }
        self
    }

    /// Lets jobs in whose tokens `issuers` knows.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Arc<dyn Issuers>) -> Self {
        self.issuers = Some(issuers);
        self
    }

    /// Finds out who a job is by the token of its own system.
    pub async fn exchange(&self, token: &str) -> Result<Caller, Unauthenticated> {
        let issuers = self.issuers.as_ref().ok_or(Refused::Issuer)?;
        let now = self.now();
        let job = issuers.exchange(token, now).await.inspect_err(|refused| {
            if let Refused::Unavailable(reason) = refused {
                tracing::warn!(reason, "the issuer of jobs' tokens can't be asked for its keys");
            }
        })?;
        if let Some(digest) = job.once {
            let accounts = self.accounts().ok_or(Unauthenticated::Unavailable)?;
            let until = job.expires_at.checked_add(LEEWAY).unwrap_or(job.expires_at);
            let spend = async move |tx: &mut _| spent::spend(tx, &digest, until, now).await;
            let first = accounts.catalog().write(spend).await.map_err(|error| {
                tracing::warn!(%error, "it can't be noted that a job's token was used");
                Unauthenticated::Unavailable
            })?;
            if !first {
                return Err(Refused::Used.into());
            }
        }
        Ok(Caller::new(Identity::Workload(job.name.into()), Proof::Federation))
    }

    /// Finds out whom a client's certificate proves: a user or robot that is known here.
    pub fn certified(&self, name: &str) -> Result<Caller, Unauthenticated> {
        let identity = match canonical_robot(name) {
            Some(robot) => Identity::Robot(robot.into()),
            None => Identity::User(name.into()),
        };
        if !self.knows(&identity) {
            return Err(Unauthenticated::Certificate { name: name.chars().take(128).collect() });
        }
        let caller = Caller::new(identity, Proof::Certificate);
        // It was proved at this moment, so what ended before does not matter; what is disabled or over does.
        self.stands(&caller, jiff::Timestamp::MAX).map_err(Unauthenticated::gone(&caller))?;
        Ok(caller.proved(Some(self.now())))
    }

    /// Lets somebody in whom a login service vouches for, and returns who it is here.
    pub async fn welcome(&self, proven: &Proven) -> Result<Caller, Unauthenticated> {
        let accounts = self.accounts().ok_or(Unauthenticated::Unavailable)?;
        let caller = caller(&accounts.welcome(proven).await?, Proof::Federation);
        Ok(self.name_in_logs(caller).await)
    }

    /// Begins a session of a browser; the secret is its cookie.
    pub async fn begin_session(&self, caller: &Caller) -> Result<RandomSecret, Error> {
        self.known_accounts()?.sessions().begin(caller).await
    }

    /// Finds out who is logged in by a cookie; `None` if nobody is, or what was proved then is not believed any more.
    pub async fn resume_session(&self, cookie: &str) -> Result<Option<Caller>, Error> {
        let Some(resumed) = self.known_accounts()?.sessions().resume(cookie).await? else { return Ok(None) };
        let began = resumed.caller;
        if self.stands(&began, resumed.began_at).is_err() {
            return Ok(None);
        }
        let caller = Caller::new(began.identity().clone(), Proof::Session)
            .by(began.evidence().cloned())
            .proved(Some(resumed.began_at));
        // As they are now, not as of the login.
        let groups = self.groups_of(&caller.clone().with_groups(began.groups().into()));
        Ok(Some(self.name_in_logs(caller.with_groups(groups)).await))
    }

    /// Ends a session.
    pub async fn end_session(&self, cookie: &str) -> Result<(), Error> {
        self.known_accounts()?.sessions().end(cookie).await.map(|_| ())
    }

    fn known_accounts(&self) -> Result<&Accounts, Error> {
        self.accounts().ok_or(Error::NoCatalog)
    }
}
