//! Credentials that Berth keeps itself: accounts with passwords and second factors, passwords for applications, robots, sessions.
//!
//! [`Access`](crate::Access) asks here who a request's credentials prove; commands and the API make and change accounts through
//! [`Accounts`]. Whatever ends something that decisions rest on bumps the catalog's generation, by which every node drops what it
//! believed.

mod admin;
mod api_token;
mod application;
mod enrolment;
mod error;
mod federated;
mod harbor;
pub(crate) mod hash;
pub(crate) mod hasher;
pub(crate) mod name;
mod prove;
mod robot;
mod robot_policy;
mod robot_secret;
mod rules;
mod secret;
mod session;
mod strikes;
mod totp;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use berth_catalog::{Catalog, Tx, access_generation, account, robot as robots};
use jiff::Timestamp;

use crate::config::Config;
use crate::federation::Directory;
use crate::person::Persons;

pub use admin::{NewUser, Profile};
pub(crate) use admin::{delete_user, insert_user, tell_account};
pub use application::NewApplicationPassword;
pub use error::{Ended, Error};
pub use federated::Looked;
pub use harbor::{HarborEntry, Imported};
pub use name::{RobotName, RobotNameError, user_name_problem};
pub(crate) use prove::{Proven, Purpose, caller};
pub use robot::{NewRobot, Rotated};
pub(crate) use robot::{
    Rotation, clean, delete_robot, insert_robot, rotate_robot, tell_policies, tell_robot,
};
pub(crate) use robot_policy::check;
pub use robot_policy::{Grantor, OperatorGrants};
pub use rules::{ApplicationPasswordRules, PasswordRules, RobotRules, SessionRules};
pub use secret::{RandomSecret, SecretKind};
pub use totp::{Enrolment, Sealer};

use hasher::Hasher;
use strikes::Strikes;

/// The accounts that a catalog holds. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    rules: Rules,
    sealer: Option<Arc<dyn Sealer>>,
    hasher: Arc<Hasher>,
    strikes: Strikes,
    /// Who is asked about others.
    directory: OnceLock<Arc<dyn Directory>>,
    /// How logs name others.
    persons: OnceLock<Persons>,
    /// What was believed under another is asked again.
    generation: AtomicI64,
    /// Whether hashes of Harbor's wait for their first use.
    harbor_waits: AtomicBool,
}

/// The rules that the configuration has for them.
#[derive(Debug, Clone, Default)]
struct Rules {
    passwords: PasswordRules,
    robots: RobotRules,
    application_passwords: ApplicationPasswordRules,
    sessions: SessionRules,
    /// Names of the configuration's users, whose passwords are theirs alone.
    configured: HashSet<String>,
}

impl Accounts {
    /// Opens the accounts of a catalog, under the rules of a configuration. Second factors need a [`Sealer`].
    pub fn new(catalog: Catalog, config: &Config, sealer: Option<Arc<dyn Sealer>>) -> Self {
        let rules = Rules {
            passwords: config.passwords.clone(),
            robots: config.robots.clone(),
            application_passwords: config.application_passwords.clone(),
            sessions: config.sessions.clone(),
            configured: config.users.iter().map(|user| user.name.clone()).collect(),
        };
        Self(Arc::new(Inner {
            catalog,
            rules,
            sealer,
            hasher: Arc::new(Hasher::new()),
            strikes: Strikes::default(),
            directory: OnceLock::new(),
            persons: OnceLock::new(),
            generation: AtomicI64::new(-1),
            // Until somebody has looked.
            harbor_waits: AtomicBool::new(true),
        }))
    }

    /// Looks whether something that decisions rest on has changed, and drops what was believed before if so.
    ///
    /// # Errors
    /// The catalog's; what was believed stands.
    pub async fn look(&self) -> Result<(), berth_catalog::Error> {
        let known = self.generation();
        let found = self
            .0
            .catalog
            .read(async |r| {
                let generation = access_generation::find(r).await?;
                let harbor = if generation == known { None } else { Some(account::any_of_harbor(r).await?) };
                Ok::<_, berth_catalog::Error>((generation, harbor))
            })
            .await?;
        if let (generation, Some(harbor_waits)) = found {
            self.0.harbor_waits.store(harbor_waits, Ordering::Release);
            self.0.generation.store(generation, Ordering::Release);
        }
        Ok(())
    }

    /// Returns the number of what was last looked at.
    pub(crate) fn generation(&self) -> i64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Tells whether anybody can log in.
    pub async fn any(&self) -> Result<bool, berth_catalog::Error> {
        if self.directory().is_some() {
            return Ok(true);
        }
        self.0.catalog.read(async |r| Ok(account::any(r).await? || robots::any(r).await?)).await
    }

    /// Tells whether a name belongs to a user of the configuration, whatever account has it.
    pub(crate) fn is_configured(&self, name: &str) -> bool {
        self.0.rules.configured.contains(name)
    }

    /// Tells whether hashes of Harbor's wait for their first use.
    pub(crate) fn harbor_waits(&self) -> bool {
        self.0.harbor_waits.load(Ordering::Acquire)
    }

    pub(crate) fn hasher(&self) -> &Arc<Hasher> {
        &self.0.hasher
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.catalog.clock().now()
    }

    /// Does a unit of work that somebody ordered, and lets this process follow at once.
    async fn change<T: Send + 'static>(
        &self,
        unit: impl AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let changed = self.0.catalog.write(unit).await?;
        // It is done, and its answer may hold what nobody can be told again: that this process could not look is no failure of it, and it
        // will within a moment.
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "could not heed a change at once");
        }
        Ok(changed)
    }

    /// Does a unit of work that no answer waits for, and that may be lost: a note of a login.
    fn note(&self, unit: impl AsyncFn(&mut Tx) -> Result<(), berth_catalog::Error> + Send + 'static) {
        let catalog = self.0.catalog.clone();
        tokio::spawn(async move {
            if let Err(error) = catalog.write(unit).await {
                tracing::debug!(%error, "a login was not noted");
            }
        });
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}
