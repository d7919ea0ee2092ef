//! What the management API does: each call decides whether its caller may, makes the change in one unit of work together with its
//! event, and sees that this node heeds it before it returns.
//!
//! What a caller may not see and what is not there get the same answer, [`ManageError::Hidden`], whichever it is.

mod application;
mod awaited;
mod binding;
mod error;
mod explain;
mod factor;
mod known_user;
mod last;
mod limit;
mod me;
mod named;
mod project;
mod robot;
mod role;
mod shared;
mod token;
mod user;

pub use binding::{BindingMark, BindingsWanted, KnownBinding, Within};
pub use error::ManageError;
use error::Result;
pub use explain::Explanation;
pub use known_user::KnownUser;
pub use limit::ManageLimits;
pub use me::Me;
pub use robot::{RobotChange, RobotWanted};
pub use role::KnownRole;
pub use user::{PasswordChange, UserChange};

use berth_catalog::{Catalog, Tx, project as projects};

use crate::access::Access;
use crate::account::Accounts;
use crate::action::{Action, Actions};
use crate::caller::{Caller, Identity, Proof};
use crate::error::{Denied, Reason};
use crate::part;
use crate::resource::Resource;

/// Rows looked at for one page at most: who sees one project of a million gets short pages rather than slow ones.
const MOST_SEEN: usize = 5_000;
/// Rows read at a time.
const BATCH: usize = 500;

/// Decides and changes, for one catalog. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Management {
    access: Access,
    accounts: Accounts,
    catalog: Catalog,
}

impl Management {
    /// Manages what `access` decides by and `catalog` holds.
    pub fn new(access: &Access, accounts: &Accounts, catalog: &Catalog) -> Self {
        Self { access: access.clone(), accounts: accounts.clone(), catalog: catalog.clone() }
    }

    /// Makes a change, and heeds it.
    async fn change<T, F>(&self, body: F) -> Result<T>
    where
        F: AsyncFn(&mut Tx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let done = self.catalog.write(body).await?;
        self.heed().await;
        Ok(done)
    }

    /// Heeds on this node what was changed. It is done: that the node could not look again by now is no failure of the change, and it
    /// will within a moment.
    async fn heed(&self) {
        for outcome in [self.accounts.look().await, self.access.refresh().await] {
            if let Err(error) = outcome {
                tracing::warn!(%error, "could not heed a change at once");
            }
        }
    }

    /// Sees that a caller may know of something: of what it may list or read, or change.
    fn see(&self, caller: &Caller, resource: &Resource<'_>) -> Result<Actions> {
        let granted = self.access.granted(caller, resource);
        if granted.has(Action::List) || granted.has(Action::Read) {
            return Ok(granted);
        }
        let denied = self.access.denied(caller, Action::Read, resource);
        // Who may log in to see more is told so, whatever is there.
        if denied.reason() == Reason::CredentialsNeeded {
            Err(denied.into())
        } else {
            Err(ManageError::Hidden)
        }
    }

    /// Sees that a caller may know of a project; of everywhere anybody does.
    fn see_place(&self, caller: &Caller, project: Option<&str>) -> Result<()> {
        project.map_or(Ok(()), |name| self.see_project(caller, name))
    }

    /// Sees that a caller may read who may do what in a project that is there, or everywhere.
    async fn read_who(&self, caller: &Caller, project: Option<&str>) -> Result<()> {
        let Some(name) = project else {
            return Ok(self.access.require(caller, Action::Read, Resource::System(part::ACCESS))?);
        };
        self.see_project(caller, name)?;
        self.access.require(caller, Action::Read, Resource::Project(name))?;
        let found = self.catalog.read(async |r| projects::find(r, name).await).await?;
        found.map(drop).ok_or(ManageError::Hidden)
    }

    /// Sees that a caller is a person, who came in person; `others` says what others have instead.
    fn user_in_person<'a>(&self, caller: &'a Caller, others: &str) -> Result<&'a str> {
        Self::in_person(caller)?;
        if let Identity::User(user) = caller.identity() {
            return Ok(user);
        }
        if caller.is_anonymous() {
            self.see(caller, &Resource::System(part::USERS))?;
        }
        Err(ManageError::Invalid(others.to_owned()))
    }

    /// Sees that a caller came with something better than a password made for one client, or a token for repositories, which are for
    /// pulling and pushing, and that logs can name it.
    fn in_person(caller: &Caller) -> Result<()> {
        if caller.proof() == Proof::ApplicationPassword || caller.scope().is_some() {
            return Err(ManageError::NotByThis);
        }
        Self::named(caller)
    }

    /// Sees that logs can name a caller: else nobody would know who did it.
    fn named(caller: &Caller) -> Result<()> {
        if caller.is_unnamed() {
            let access = Resource::System(part::ACCESS);
            return Err(Denied::new(Action::Administer, &access, caller, Reason::Unnamed).into());
        }
        Ok(())
    }
}
