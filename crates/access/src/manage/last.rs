//! Somebody must be left who may say who may do what.

use berth_catalog::binding::{self, Kind};
use berth_catalog::{Reader, account, role};

use super::{ManageError, Result};
use crate::action::Action;
use crate::part;
use crate::policy::{Path, Role, Rules};
use crate::resource::Resource;

/// Rows read at a time.
const BATCH: usize = 500;

/// Remembers whether there was somebody before a change.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct Guard(bool);

impl Guard {
    pub(super) async fn before(r: &Reader, rules: &Rules) -> Result<Self> {
        Ok(Self(somebody_administers(r, rules).await?))
    }

    /// Refuses the change if there is nobody any more. Where there was nobody before, nothing is lost.
    pub(super) async fn after(self, r: &Reader, rules: &Rules) -> Result<()> {
        if self.0 && !somebody_administers(r, rules).await? {
            return Err(ManageError::LastAdministrator);
        }
        Ok(())
    }
}

/// Tells whether a user, or whoever is in a group, may administer `system/access`. Robots don't count: nobody logs in as one to mend
/// what is locked.
async fn somebody_administers(r: &Reader, rules: &Rules) -> Result<bool> {
    for (subject, role, project) in rules.bindings() {
        let role = rules.roles.get(role).filter(|_| project.is_none());
        let stands = stands(r, rules, subject.kind(), subject.name());
        if role.is_some_and(|role| administers(role)) && stands.await? {
            return Ok(true);
        }
    }
    let mut after = 0;
    loop {
        let page = binding::list_project(r, "", after, BATCH).await?;
        for binding in &page {
            let what = &binding.what;
            let administers = match rules.roles.get(what.role.as_str()) {
                Some(role) => administers(role),
                None => match role::find(r, &what.role).await? {
                    Some(stored) => Role::read(what.role.as_str().into(), &stored.policies)
                        .is_ok_and(|role| administers(&role)),
                    None => false,
                },
            };
            if administers && stands(r, rules, what.kind, &what.subject).await? {
                return Ok(true);
            }
        }
        match page.last() {
            Some(last) if page.len() == BATCH => after = last.id,
            _ => return Ok(false),
        }
    }
}

fn administers(role: &Role) -> bool {
    let (allowed, denied) = role.on(&Path::of(&Resource::System(part::ACCESS)));
    allowed.has(Action::Administer) && !denied.has(Action::Administer)
}

async fn stands(r: &Reader, rules: &Rules, kind: Kind, name: &str) -> Result<bool> {
    match kind {
        // Who is in it, another service knows.
        Kind::Group => Ok(true),
        Kind::User if rules.users.contains_key(name) => Ok(true),
        Kind::User => Ok(account::find(r, name).await?.is_some_and(|account| account.disabled_at.is_none())),
        _ => Ok(false),
    }
}
