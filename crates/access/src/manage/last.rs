//! Somebody must be left who may say who may do what.

use std::sync::Arc;

use berth_catalog::Reader;
use jiff::Timestamp;

use super::{ManageError, Result};
use crate::access::Access;
use crate::policy::Rules;
use crate::snapshot::{Snapshot, Stored};

/// Knows whether there was somebody before a change.
#[derive(Debug)]
#[must_use]
pub(super) struct Guard {
    rules: Arc<Rules>,
    was_there: bool,
    now: Timestamp,
}

impl Guard {
    pub(super) fn before(access: &Access) -> Self {
        let (rules, now) = (access.rules(), access.now());
        Self { was_there: access.snapshot().somebody_administers(now), rules, now }
    }

    /// Of a change that can't take such rights from anybody: there is nothing to ask.
    pub(super) fn of_nothing(access: &Access) -> Self {
        Self { rules: access.rules(), was_there: false, now: access.now() }
    }

    /// Refuses the change in whose unit of work it is asked if nobody is left: it decides by all rules, as of then, for each user who
    /// can log in. Who is in a group counts once the group's service has named it at a login. Where there was nobody before, nothing
    /// is lost.
    pub(super) async fn after(&self, r: &Reader) -> Result<()> {
        if !self.was_there {
            return Ok(());
        }
        let snapshot = Snapshot::new(&self.rules, Stored::of_system(r, self.now).await?);
        if snapshot.somebody_administers(self.now) { Ok(()) } else { Err(ManageError::LastAdministrator) }
    }
}
