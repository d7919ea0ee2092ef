//! Makes, replaces and deletes roles; no holder gets a second duty by that, and no role goes that is held.

use berth_catalog::event::{Author, Kind};
use berth_catalog::{Tx, binding, role};
use jiff::Timestamp;
use serde_json::json;

use super::binding::{keep_holders_apart, not_held_by_everybody};
use super::{AdminError, Result, tell};
use crate::policy::{Conflict, Role, RoleConfig, RoleError, Rules, Subject};

const MAX_DESCRIPTION_BYTES: usize = 1024;

/// Makes a role, or replaces the one of its name.
pub async fn set_role(
    tx: &mut Tx,
    rules: &Rules,
    config: &RoleConfig,
    author: &Author,
    now: Timestamp,
) -> Result<()> {
    let name = &config.name;
    let wrong = |problem| AdminError::Role { name: name.clone(), problem };
    let compiled = Role::compile(config).map_err(wrong)?;
    if config.description.len() > MAX_DESCRIPTION_BYTES || config.description.chars().any(char::is_control) {
        return Err(wrong(RoleError::Description));
    }
    if rules.roles.contains_key(name.as_str()) {
        return Err(AdminError::FixedRole(name.clone()));
    }
    if rules.separation && compiled.duties.conflict() {
        let conflict = Conflict { who: format!("role {name}"), duties: compiled.duties };
        return Err(AdminError::Duties(conflict.to_string()));
    }
    let found = role::find(tx, name).await?;
    keep_holders_apart(tx, rules, name, compiled.duties).await?;
    if compiled.governs() && !found.as_ref().is_some_and(|known| governs(&known.policies)) {
        not_held_by_everybody(tx, rules, name).await?;
    }
    let policies = serde_json::to_string(&config.policies)
        .map_err(|error| wrong(RoleError::Unreadable(error.to_string())))?;
    if found
        .as_ref()
        .is_some_and(|known| known.policies == policies && known.description == config.description)
    {
        return Ok(());
    }
    role::insert(tx, name, &config.description, &policies, now).await?;
    let before = found.map(|role| role.policies);
    let detail = json!({ "role": name, "policies": config.policies, "previous": before });
    tell(tx, Kind::RoleChanged, author, detail, now).await;
    Ok(())
}

fn governs(policies: &str) -> bool {
    Role::read("before".into(), policies).is_ok_and(|role| role.governs())
}

/// Deletes a role that nobody holds.
pub async fn delete_role(
    tx: &mut Tx,
    rules: &Rules,
    name: &str,
    author: &Author,
    now: Timestamp,
) -> Result<()> {
    if rules.roles.contains_key(name) {
        return Err(AdminError::FixedRole(name.to_owned()));
    }
    if let Some(bound) = binding::list_role(tx, Some(name), 0, 1).await?.pop() {
        let subject = Subject::new(bound.what.kind, &bound.what.subject);
        let subject = subject.map_or(bound.what.subject, |subject| subject.to_string());
        return Err(AdminError::RoleInUse { role: name.to_owned(), subject });
    }
    if !role::delete(tx, name).await? {
        return Err(AdminError::UnknownRole(name.to_owned()));
    }
    tell(tx, Kind::RoleDeleted, author, json!({ "role": name }), now).await;
    Ok(())
}
