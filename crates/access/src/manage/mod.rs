//! What the management API does: each call decides whether its caller may, makes the change in one unit of work together with its
//! event, and sees that this node heeds it before it returns.
//!
//! What a caller may not see and what is not there get the same answer, [`ManageError::Hidden`], whichever it is.

mod application;
mod awaited;
mod error;
mod explain;
mod factor;
mod known_user;
mod last;
mod limit;
mod me;
mod member;
mod named;
mod project;
mod robot;
mod role;
mod shared;
mod token;
mod user;

pub use error::ManageError;
use error::Result;
pub use explain::Explanation;
pub use known_user::KnownUser;
pub use limit::ManageLimits;
pub use me::{HeldRole, Me};
pub use member::{BindingMark, BindingsWanted, KnownBinding, Within};
pub use robot::{RobotChange, RobotWanted};
pub use role::KnownRole;
pub use user::UserChange;

use berth_catalog::{Catalog, Tx};

use crate::access::Access;
use crate::account::Accounts;
use crate::action::{Action, Actions};
use crate::caller::{Caller, Proof};
use crate::error::{Denied, Reason};
use crate::part;
use crate::resource::Resource;

/// Rows looked at for one page at most: who sees one project of a million gets short pages rather than slow ones.
const MOST_SEEN: usize = 20_000;
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

    /// Sees that a caller came with something better than a password made for one client, or a token for repositories, which are for
    /// pulling and pushing, and that logs can name it.
    fn in_person(caller: &Caller) -> Result<()> {
        if caller.proof() == Proof::ApplicationPassword || caller.scope().is_some() {
            return Err(ManageError::NotByThis);
        }
        if caller.is_unnamed() {
            let access = Resource::System(part::ACCESS);
            return Err(Denied::new(Action::Administer, &access, caller, Reason::Unnamed).into());
        }
        Ok(())
    }
}
