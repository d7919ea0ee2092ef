//! Roles, of the catalog and of the configuration. Whoever logged in sees all; calls change the catalog's.

use berth_catalog::role;
use serde::Serialize;

use super::{ManageError, Management, Result, awaited, last, shared};
use crate::action::Action;
use crate::admin::{self, AdminError};
use crate::caller::Caller;
use crate::error::{Denied, Reason};
use crate::part;
use crate::policy::{PolicyConfig, RoleConfig};
use crate::resource::Resource;

/// A role that can be bound.
#[derive(Debug, Clone, Serialize)]
pub struct KnownRole {
    /// What it is.
    #[serde(flatten)]
    pub role: RoleConfig,
    /// Whether it is built in or stands in the configuration, where calls can't change it.
    pub fixed: bool,
}

impl Management {
    /// Lists the roles that there are, in the order of their names, behind `after`. Whoever logged in may know them.
    pub async fn roles(&self, caller: &Caller, after: &str, limit: usize) -> Result<Vec<KnownRole>> {
        self.may_know_roles(caller)?;
        let stored = self.catalog.read(async |r| role::list(r, after, limit).await).await?;
        let rules = self.access.rules();
        let fixed = |name: &str| rules.roles.contains_key(name);
        let mut known: Vec<_> = rules
            .roles()
            .iter()
            .filter(|role| role.name.as_str() > after)
            .map(|role| KnownRole { role: role.clone(), fixed: true })
            // A configured role of that name stands before a stored one.
            .chain(stored.into_iter().filter(|role| !fixed(&role.name)).map(read))
            .collect();
        known.sort_by(|one, other| one.role.name.cmp(&other.role.name));
        known.truncate(limit);
        Ok(known)
    }

    /// Finds a role.
    pub async fn role(&self, caller: &Caller, name: &str) -> Result<KnownRole> {
        self.may_know_roles(caller)?;
        if let Some(role) = self.access.rules().roles().iter().find(|role| role.name == name) {
            return Ok(KnownRole { role: role.clone(), fixed: true });
        }
        self.catalog.read(async |r| role::find(r, name).await).await?.map(read).ok_or(ManageError::Hidden)
    }

    /// Makes a role that was not there.
    pub async fn create_role(&self, caller: &Caller, config: RoleConfig) -> Result<KnownRole> {
        self.set_role(caller, config, false).await
    }

    /// Replaces what a role allows and denies.
    pub async fn replace_role(&self, caller: &Caller, config: RoleConfig) -> Result<KnownRole> {
        self.set_role(caller, config, true).await
    }

    async fn set_role(&self, caller: &Caller, config: RoleConfig, exists: bool) -> Result<KnownRole> {
        Self::in_person(caller)?;
        self.may_know_roles(caller)?;
        self.access.may_grant(caller, None, None)?;
        self.not_own(caller, &config.name)?;
        let (rules, author, now) = (self.access.rules(), caller.author(), self.access.now());
        let guard = last::Guard::before(&self.access);
        let own = caller.name().to_owned();
        self.change(async move |tx| {
            let found = role::find(tx, &config.name).await?.is_some();
            if !rules.roles.contains_key(config.name.as_str()) {
                match (found, exists) {
                    (true, false) => return Err(ManageError::Exists("this role")),
                    (false, true) => return Err(ManageError::Hidden),
                    (false, false) => {
                        awaited::refuse_role(tx, &config.name).await?;
                        rules.limits.on_roles(tx).await?;
                    }
                    (true, true) => shared::refuse_role(tx, &rules, &own, &config.name).await?,
                }
            }
            admin::set_role(tx, &rules, &config, &author, now).await?;
            guard.after(tx).await?;
            Ok(KnownRole { role: config.clone(), fixed: false })
        })
        .await
    }

    /// Deletes a role that nobody holds.
    pub async fn delete_role(&self, caller: &Caller, name: &str) -> Result<()> {
        Self::in_person(caller)?;
        self.may_know_roles(caller)?;
        self.access.may_grant(caller, None, None)?;
        let (rules, author, now, name) =
            (self.access.rules(), caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| match admin::delete_role(tx, &rules, &name, &author, now).await {
            Err(AdminError::UnknownRole(_)) => Err(ManageError::Hidden),
            other => Ok(other?),
        })
        .await
    }

    /// Sees that a caller logged in, or that everybody may read who may do what.
    fn may_know_roles(&self, caller: &Caller) -> Result<()> {
        if caller.is_anonymous() {
            self.access.require(caller, Action::Read, Resource::System(part::ACCESS))?;
        }
        Ok(())
    }

    /// Refuses to change a role that the caller holds where nobody may change its own rights.
    fn not_own(&self, caller: &Caller, role: &str) -> Result<()> {
        if self.access.rules().separation && self.access.holds(caller).iter().any(|held| held.role == role) {
            let access = Resource::System(part::ACCESS);
            return Err(Denied::new(Action::Administer, &access, caller, Reason::OwnRights).into());
        }
        Ok(())
    }
}

fn read(stored: role::Role) -> KnownRole {
    // What can't be read denies everything until it is set anew; it has no policies to show.
    let policies: Vec<PolicyConfig> = serde_json::from_str(&stored.policies).unwrap_or_default();
    let role = RoleConfig { name: stored.name, description: stored.description, policies };
    KnownRole { role, fixed: false }
}
