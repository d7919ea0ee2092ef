//! The move of a catalog from SQLite to Postgres, while it is served.
//!
//! From its begin, triggers note in the transaction of each change which row changed ([`source`]). Rows that did not change are
//! copied page by page, in no hurry; then what changed is copied, in one view of the source and one transaction of the target, as
//! often as it takes. **The commit in which the source's row turns to `gone` is the moment from which the target is the truth**: it
//! happens only if no change was noted that the target lacks, and it makes the source refuse every later write by triggers of its
//! own. No clock, lease or courtesy of a server is part of that. The target is not served before the row there says `open`.

mod row;
mod source;
mod sql;
pub(crate) mod table;
pub(crate) mod trigger;
mod view;

use jiff::Timestamp;

pub use row::{Fingerprint, Key, Row, Stored};
pub use source::{Point, again, begin, cancel, forget, healthy, leave, note, refuse_leaving, rest};
pub use sql::tables;
pub use table::Table;
pub use view::{Item, changed, changes, count, page, waiting};

pub(crate) use row::Value;

use crate::driver::{Reader, params};
use crate::error::{Error, Result};

pub use crate::postgres::moving::{Progress, Target};

/// How far a move is, on the side where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The source: changes are noted, and everything goes on.
    Copying,
    /// The source: pushes rest for a switch, as long as somebody says so.
    Resting,
    /// The source: the target is the truth.
    Gone,
    /// The target: rows come in.
    Filling,
    /// The target: all rows are there, and it is not the truth yet.
    Ready,
    /// The target: it is the truth.
    Open,
    /// No move: a point of a backup is being restored here.
    Restoring,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Resting => "resting",
            Self::Gone => "gone",
            Self::Filling => "filling",
            Self::Ready => "ready",
            Self::Open => "open",
            Self::Restoring => "restoring",
        }
    }
}

impl std::str::FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [
            Self::Copying,
            Self::Resting,
            Self::Gone,
            Self::Filling,
            Self::Ready,
            Self::Open,
            Self::Restoring,
        ];
        all.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// The same on both sides.
    pub id: String,
    /// On the source where it goes, on the target the name of the store that it comes from; of a restore the point.
    pub peer: String,
    /// How far it is.
    pub state: State,
    /// The one command that works it.
    pub worker: String,
    /// While resting: until when.
    pub rests_till: Timestamp,
    /// Number of the last change that the target has.
    pub applied: i64,
    /// JSON.
    pub progress: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its row changed last.
    pub changed_at: Timestamp,
}

/// Finds the move that this catalog is part of.
pub async fn find(r: &Reader) -> Result<Option<Moving>> {
    r.query_opt(
        "SELECT id, peer, state, worker, rests_till, applied, progress, started_at, changed_at FROM moving WHERE one = 1",
        params![],
        |row| {
            Ok(Moving {
                id: row.text(0)?.to_owned(),
                peer: row.text(1)?.to_owned(),
                state: row.parse(2, "state of a move")?,
                worker: row.text(3)?.to_owned(),
                rests_till: row.time(4)?,
                applied: row.int(5)?,
                progress: row.text(6)?.to_owned(),
                started_at: row.time(7)?,
                changed_at: row.time(8)?,
            })
        },
    )
    .await
}

/// Refuses a command that is not the one that works the move any more.
pub(crate) fn refuse_other(found: Option<Moving>, worker: &str) -> Result<Moving> {
    found.filter(|moving| moving.worker == worker).ok_or(Error::TakenOver)
}
