//! What a caller's own hands hold beside its account: robots whose secret it knows.

use berth_catalog::binding::{self, Kind};
use berth_catalog::{Reader, robot};

use super::{ManageError, Result};
use crate::caller::{Caller, Identity};
use crate::policy::Rules;

/// Rows read at a time.
const BATCH: usize = 500;

/// Refuses to change what a robot may do whose secret the caller knows, where nobody changes its own rights: what such a robot may do,
/// the caller may.
pub(super) async fn refuse(r: &Reader, rules: &Rules, caller: &str, kind: Kind, subject: &str) -> Result<()> {
    if rules.separation && kind == Kind::Robot {
        let robot = robot::find(r, subject).await?;
        if robot.is_some_and(|robot| robot.known_to.iter().any(|name| name == caller)) {
            return Err(ManageError::OwnRobot);
        }
    }
    Ok(())
}

/// Refuses the same of a role that such a robot holds.
pub(super) async fn refuse_role(r: &Reader, rules: &Rules, caller: &str, role: &str) -> Result<()> {
    if !rules.separation {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let page = binding::list_role(r, Some(role), after, BATCH).await?;
        for bound in &page {
            refuse(r, rules, caller, bound.what.kind, &bound.what.subject).await?;
        }
        match page.last() {
            Some(last) if page.len() == BATCH => after = last.id,
            _ => return Ok(()),
        }
    }
}

/// Lists who knows the secret of a robot that a caller makes: the caller, and whoever knows the caller's own if that is a robot's.
pub(super) async fn knowers(r: &Reader, caller: &Caller) -> Result<Vec<String>> {
    let mut names = vec![caller.name().to_owned()];
    if let Identity::Robot(name) = caller.identity()
        && let Some(maker) = robot::find(r, name).await?
    {
        names.extend(maker.known_to);
    }
    names.dedup();
    Ok(names)
}
