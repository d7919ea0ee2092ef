//! Changes of who may do what: bindings, roles, projects. Each is checked in the transaction that makes it, and tells the event log.
//!
//! Whoever calls these has asked [`Access::require`](crate::Access::require) or [`Access::may_grant`](crate::Access::may_grant) before,
//! or sits at the machine.

mod binding;
mod project;
mod role;

pub(crate) use binding::take_away;
pub use binding::{bind, bind_knowingly, unbind};
pub use project::{ProjectChange, change_project, create_project, delete_project};
pub use role::{delete_role, set_role};

use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::{Tx, project as projects};
use jiff::Timestamp;
use serde_json::Value;

use crate::policy::RoleError;
use crate::resource::is_project;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// Nobody made such a role.
    #[error("there is no role {0:?}; `berth role list` prints those that there are")]
    UnknownRole(String),
    /// The role stands where this can't change it.
    #[error("role {0:?} is built in or stands in the configuration; choose another name, or change it there")]
    FixedRole(String),
    /// The role is no role.
    #[error("role {name:?}: {problem}")]
    Role {
        /// The role.
        name: String,
        /// What is wrong with it.
        problem: RoleError,
    },
    /// Somebody holds the role.
    #[error("role {role:?} is bound to {subject}; take it away first with `berth bind remove`")]
    RoleInUse {
        /// The role.
        role: String,
        /// One who holds it.
        subject: String,
    },
    /// Nothing was pushed to such a project, and nobody made it.
    #[error("there is no project {0:?}; make it with `berth project create`, or push to it")]
    UnknownProject(String),
    /// There is one of that name.
    #[error("project {0:?} exists already; `berth project set` changes it")]
    ProjectExists(String),
    /// Repositories lie in it.
    #[error("project {0:?} holds repositories; delete what is in them, and let garbage be collected, first")]
    ProjectInUse(String),
    /// The name can't be the first component of a repository's.
    #[error(
        "{0:?} is no project's name; use lower-case letters, digits and single separators (. _ -), without a slash"
    )]
    ProjectName(String),
    /// Settings are a JSON object.
    #[error("settings of a project are a JSON object, such as {{\"key\": \"value\"}}")]
    Settings,
    /// Duties that are to be kept apart would come together.
    #[error("{0}")]
    Duties(String),
    /// Everybody would govern.
    #[error(
        "role {role:?} may administer or change the system, and {subject} is everybody: give it to somebody you can name"
    )]
    Everybody {
        /// The role.
        role: String,
        /// Who is meant.
        subject: String,
    },
    /// The catalog did not do it.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
}

/// Result of a change.
pub type Result<T, E = AdminError> = std::result::Result<T, E>;

pub(crate) async fn tell(tx: &mut Tx, kind: Kind, author: &Author, detail: Value, at: Timestamp) {
    let event = NewEvent {
        id: uuid::Uuid::new_v4(),
        at,
        kind,
        repository: None,
        tag: None,
        digest: None,
        author: author.clone(),
        detail,
    };
    event::append(tx, event).await;
}

/// Sees that a project exists: one that only its repositories tell of gets its row.
async fn demand_project(tx: &mut Tx, name: &str, now: Timestamp) -> Result<()> {
    if !is_project(name) {
        return Err(AdminError::ProjectName(name.to_owned()));
    }
    if projects::find(tx, name).await?.is_some() {
        return Ok(());
    }
    if !projects::holds_repository(tx, name).await? {
        return Err(AdminError::UnknownProject(name.to_owned()));
    }
    projects::insert(tx, name, false, "", now).await?;
    Ok(())
}
