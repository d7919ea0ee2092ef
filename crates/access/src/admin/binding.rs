use std::sync::Arc;

use berth_catalog::binding::{self, Kind as Subjects, NewBinding};
use berth_catalog::event::{Author, Kind};
use berth_catalog::{Reader, Tx, role};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AdminError, Result, demand_project, tell};
use crate::policy::{Conflict, Duties, Role, Rules, Subject};

/// Roles of one subject that are looked at for duties: far more than anybody holds.
const MANY: usize = 100_000;

/// Binds a role to a subject. Returns false if that was so already.
pub async fn bind(
    tx: &mut Tx,
    rules: &Rules,
    what: &NewBinding,
    author: &Author,
    now: Timestamp,
) -> Result<bool> {
    let everybody = matches!(what.kind, Subjects::Anonymous | Subjects::Authenticated);
    if everybody && compiled(tx, rules, &what.role).await?.is_some_and(|role| role.governs()) {
        let (role, subject) = (what.role.clone(), what.kind.as_str().to_owned());
        return Err(AdminError::Everybody { role, subject });
    }
    bind_knowingly(tx, rules, what, author, now).await
}

/// Binds a role as [`bind`] does, also one that lets everybody govern: for whoever was asked.
pub async fn bind_knowingly(
    tx: &mut Tx,
    rules: &Rules,
    what: &NewBinding,
    author: &Author,
    now: Timestamp,
) -> Result<bool> {
    let Some(duties) = duties(tx, rules, &what.role).await? else {
        return Err(AdminError::UnknownRole(what.role.clone()));
    };
    if !what.project.is_empty() {
        demand_project(tx, &what.project, now).await?;
    } else if rules.separation && !duties.is_none() {
        keep_apart(tx, rules, what, duties).await?;
    }
    let bound = binding::insert(tx, what, &author.name, now).await?;
    if bound {
        tell(tx, Kind::BindingAdded, author, detail(what), now).await;
    }
    Ok(bound)
}

/// Takes a role away from a subject. Returns false if it was not bound so.
pub async fn unbind(tx: &mut Tx, what: &NewBinding, author: &Author, now: Timestamp) -> Result<bool> {
    let gone = binding::delete(tx, what).await?;
    if gone {
        tell(tx, Kind::BindingRemoved, author, detail(what), now).await;
    }
    Ok(gone)
}

/// Refuses to give somebody a second duty. Who gets one by a group is found out when it decides: then neither counts.
async fn keep_apart(tx: &Tx, rules: &Rules, what: &NewBinding, new: Duties) -> Result<()> {
    let configured = rules.bindings().filter(|(subject, _, project)| {
        subject.kind() == what.kind && subject.name() == what.subject && project.is_none()
    });
    let mut held: Vec<String> = configured.map(|(_, role, _)| role.to_owned()).collect();
    let stored = binding::list_subject(tx, what.kind, &what.subject, MANY).await?;
    held.extend(
        stored
            .into_iter()
            .map(|known| known.what)
            .filter(|what| what.project.is_empty())
            .map(|what| what.role),
    );
    let mut all = new;
    for role in held {
        all = all.or(duties(tx, rules, &role).await?.unwrap_or(Duties::NONE));
    }
    if !all.conflict() {
        return Ok(());
    }
    let who =
        Subject::new(what.kind, &what.subject).map_or_else(|_| what.subject.clone(), |who| who.to_string());
    Err(AdminError::Duties(Conflict { who, duties: all }.to_string()))
}

/// Finds out which duties a role has; `None` if there is no such role.
async fn duties(r: &Reader, rules: &Rules, name: &str) -> Result<Option<Duties>> {
    Ok(compiled(r, rules, name).await?.map(|role| role.duties))
}

/// Finds a role; `None` if there is no such role.
async fn compiled(r: &Reader, rules: &Rules, name: &str) -> Result<Option<Arc<Role>>> {
    if let Some(role) = rules.roles.get(name) {
        return Ok(Some(Arc::clone(role)));
    }
    let Some(stored) = role::find(r, name).await? else { return Ok(None) };
    let read = Role::read(name.into(), &stored.policies);
    Ok(Some(Arc::new(read.unwrap_or_else(|_| Role::unreadable(name.into())))))
}

fn detail(what: &NewBinding) -> Value {
    json!({ "subject_kind": what.kind.as_str(), "subject": what.subject, "role": what.role, "project": what.project })
}
