//! Bindings: who has which role where.

use std::str::FromStr;

use jiff::Timestamp;

use crate::access_generation;
use crate::account::AccountId;
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::robot::RobotId;
use crate::tx::Tx;

/// What kind of subject a role is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One user.
    User,
    /// Everybody in a group, as whoever vouches for a caller names it.
    Group,
    /// One robot account.
    Robot,
    /// Jobs that another service vouches for.
    Workload,
    /// Every user who logged in.
    Authenticated,
    /// Everybody.
    Anonymous,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Group, Self::Robot, Self::Workload, Self::Authenticated, Self::Anonymous];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Robot => "robot",
            Self::Workload => "workload",
            Self::Authenticated => "authenticated",
            Self::Anonymous => "anonymous",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// Who is to have which role where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NewBinding {
    /// What kind of subject.
    pub kind: Kind,
    /// Its name; empty for [`Kind::Authenticated`] and [`Kind::Anonymous`].
    pub subject: String,
    /// The role's name.
    pub role: String,
    /// The project it is bound in; empty: everywhere.
    pub project: String,
}

/// Who has which role where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its number, which lists go on after.
    pub id: i64,
    /// What it says.
    pub what: NewBinding,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, by a caller's name.
    pub created_by: String,
}

/// Finds out whether it is there.
pub async fn find(r: &Reader, what: &NewBinding) -> Result<Option<Binding>> {
    r.query_opt(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE kind = $1 AND subject = $2 AND role = $3 AND project = $4",
        params![what.kind.as_str(), &what.subject, &what.role, &what.project],
        read_binding,
    )
    .await
}

/// Lists bindings in the order in which they were made, after the one numbered `after`.
pub async fn list(r: &Reader, after: i64, limit: usize) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding WHERE id > $1
          ORDER BY id LIMIT $2",
        params![after, limit],
        read_binding,
    )
    .await
}

/// Lists those in one project, or with an empty name those that hold everywhere.
pub async fn list_project(r: &Reader, project: &str, after: i64, limit: usize) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
        params![project, after, limit],
        read_binding,
    )
    .await
}

/// Lists those of a role (of any, if none is named) in one project, or with an empty name those that hold everywhere.
pub async fn list_role_in(
    r: &Reader,
    project: &str,
    role: Option<&str>,
    after: i64,
    limit: usize,
) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE project = $1 AND ($2 = '' OR role = $2) AND id > $3 ORDER BY id LIMIT $4",
        params![project, role.unwrap_or_default(), after, limit],
        read_binding,
    )
    .await
}

/// Lists those of a role (of any, if none is named) in all projects and everywhere.
pub async fn list_role(r: &Reader, role: Option<&str>, after: i64, limit: usize) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE ($1 = '' OR role = $1) AND id > $2 ORDER BY id LIMIT $3",
        params![role.unwrap_or_default(), after, limit],
        read_binding,
    )
    .await
}

/// Lists those of one subject in the order in which they were made, after the one numbered `after`, in all projects and everywhere.
pub async fn list_subject_from(
    r: &Reader,
    kind: Kind,
    subject: &str,
    after: i64,
    limit: usize,
) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE kind = $1 AND subject = $2 AND id > $3 ORDER BY id LIMIT $4",
        params![kind.as_str(), subject, after, limit],
        read_binding,
    )
    .await
}

/// Lists those of one subject.
pub async fn list_subject(r: &Reader, kind: Kind, subject: &str, limit: usize) -> Result<Vec<Binding>> {
    r.query(
        "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
          WHERE kind = $1 AND subject = $2 ORDER BY role, project LIMIT $3",
        params![kind.as_str(), subject, limit],
        read_binding,
    )
    .await
}

/// Tells whether there are so many in one project, or with an empty name everywhere, or more.
pub async fn has_many(r: &Reader, project: &str, many: usize) -> Result<bool> {
    let sql = "SELECT id FROM binding WHERE project = $1 ORDER BY id LIMIT 1 OFFSET $2";
    let last = r.query_opt(sql, params![project, many.saturating_sub(1)], |row| row.int(0)).await?;
    Ok(last.is_some())
}

/// Tells whether there are so many in all, or more.
pub async fn are_many(r: &Reader, many: usize) -> Result<bool> {
    let sql = "SELECT id FROM binding ORDER BY id LIMIT 1 OFFSET $1";
    Ok(r.query_opt(sql, params![many.saturating_sub(1)], |row| row.int(0)).await?.is_some())
}

/// Binds a role. Returns false if that was so already.
pub async fn insert(tx: &mut Tx, what: &NewBinding, by: &str, now: Timestamp) -> Result<bool> {
    let made = tx
        .execute(
            "INSERT INTO binding (kind, subject, role, project, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, subject, role, project) DO NOTHING",
            params![what.kind.as_str(), &what.subject, &what.role, &what.project, now, by],
        )
        .await?;
    access_generation::bump(tx).await?;
    Ok(made > 0)
}

/// Takes a role away. Returns false if it was not bound so.
pub async fn delete(tx: &mut Tx, what: &NewBinding) -> Result<bool> {
    let deleted = tx
        .execute(
            "DELETE FROM binding WHERE kind = $1 AND subject = $2 AND role = $3 AND project = $4",
            params![what.kind.as_str(), &what.subject, &what.role, &what.project],
        )
        .await?;
    access_generation::bump(tx).await?;
    Ok(deleted > 0)
}

/// Takes every role away from a user who is about to be deleted: somebody else may get the name. The caller has every node look again.
pub(crate) async fn delete_user(tx: &mut Tx, id: AccountId) -> Result<()> {
    let sql =
        "DELETE FROM binding WHERE kind = 'user' AND subject = (SELECT name FROM account WHERE id = $1)";
    tx.post(sql, params![id.0]).await
}

/// Does the same for a robot.
pub(crate) async fn delete_robot(tx: &mut Tx, id: RobotId) -> Result<()> {
    let sql = "DELETE FROM binding WHERE kind = 'robot' AND subject = (SELECT name FROM robot WHERE id = $1)";
    tx.post(sql, params![id.0]).await
}

/// Takes away every role that was bound in a project, and those of its robots elsewhere; the caller has every node look again.
pub(crate) async fn delete_project(tx: &mut Tx, project: &str) -> Result<()> {
    let sql =
        "DELETE FROM binding WHERE kind = 'robot' AND subject IN (SELECT name FROM robot WHERE project = $1)";
    tx.post(sql, params![project]).await?;
    tx.post("DELETE FROM binding WHERE project = $1", params![project]).await
}

fn read_binding(row: &Row<'_>) -> Result<Binding> {
    Ok(Binding {
        id: row.int(0)?,
        what: NewBinding {
            kind: row.parse(1, "kind of subject")?,
            subject: row.text(2)?.to_owned(),
            role: row.text(3)?.to_owned(),
            project: row.text(4)?.to_owned(),
        },
        created_at: row.time(5)?,
        created_by: row.text(6)?.to_owned(),
    })
}
