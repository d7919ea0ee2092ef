//! Gives roles and takes them away: no hand gets two duties by that, and everybody governs only if meant to.

use std::sync::Arc;

use berth_catalog::binding::{self, Kind as SubjectKind, NewBinding};
use berth_catalog::event::{Author, Kind};
use berth_catalog::{Reader, Tx, robot, role, subject};
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
    let everybody = matches!(what.kind, SubjectKind::Anonymous | SubjectKind::Authenticated);
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
    if what.project.is_empty() {
        keep_apart(tx, rules, what, duties).await?;
    } else {
        demand_project(tx, &what.project, now).await?;
    }
    let bound = binding::insert(tx, what, &author.name, now).await?;
    if bound {
        let mut detail = detail(what);
        if let Some(person) = person(tx, what).await? {
            detail["subject"] = person.into();
        }
        tell(tx, Kind::BindingAdded, author, detail, now).await;
    }
    Ok(bound)
}

/// Takes a role away from a subject. Returns false if it was not bound so.
pub async fn unbind(tx: &mut Tx, what: &NewBinding, author: &Author, now: Timestamp) -> Result<bool> {
    Ok(remove(tx, what, author, now).await?)
}

async fn remove(
    tx: &mut Tx,
    what: &NewBinding,
    author: &Author,
    now: Timestamp,
) -> berth_catalog::Result<bool> {
    let gone = binding::delete(tx, what).await?;
    if gone {
        let mut detail = detail(what);
        if what.kind == SubjectKind::User {
            // Of whom logs know nobody, or nobody any more, the log that nothing can be taken out of says no name.
            detail["subject"] = person(tx, what).await?.into();
        }
        tell(tx, Kind::BindingRemoved, author, detail, now).await;
    }
    Ok(gone)
}

/// Takes every role away from a name that is about to go.
pub(crate) async fn take_away(
    tx: &mut Tx,
    kind: SubjectKind,
    name: &str,
    author: &Author,
    now: Timestamp,
) -> berth_catalog::Result<()> {
    for bound in binding::list_subject(tx, kind, name, MANY).await? {
        remove(tx, &bound.what, author, now).await?;
    }
    Ok(())
}

/// Sees that whoever holds a role has, with what it becomes, no second duty.
pub(super) async fn keep_holders_apart(tx: &Tx, rules: &Rules, role: &str, new: Duties) -> Result<()> {
    for bound in binding::list_role(tx, Some(role), 0, MANY).await? {
        if bound.what.project.is_empty() {
            keep_apart(tx, rules, &bound.what, new).await?;
        }
    }
    Ok(())
}

/// Sees that a role which comes to govern is not bound to everybody already.
pub(super) async fn not_held_by_everybody(tx: &Tx, rules: &Rules, role: &str) -> Result<()> {
    for kind in [SubjectKind::Anonymous, SubjectKind::Authenticated] {
        let stored = binding::list_subject(tx, kind, "", MANY).await?;
        let configured = rules.bindings().any(|(subject, known, _)| subject.kind() == kind && known == role);
        if configured || stored.iter().any(|bound| bound.what.role == role) {
            return Err(AdminError::Everybody { role: role.to_owned(), subject: kind.as_str().to_owned() });
        }
    }
    Ok(())
}

/// Refuses to give somebody a second duty beside what else it holds, a robot's own policies included. Who gets one by a group is found
/// out when it decides: then neither counts. A duty that everybody had would take every other duty away, so nobody gives it to all.
async fn keep_apart(tx: &Tx, rules: &Rules, what: &NewBinding, new: Duties) -> Result<()> {
    if !rules.separation || new.is_none() {
        return Ok(());
    }
    if matches!(what.kind, SubjectKind::Anonymous | SubjectKind::Authenticated) {
        let text = "{} would have a duty, which access.separation_of_duties keeps in one hand; bind it to a user or a group";
        return Err(AdminError::Duties(text.replace("{}", what.kind.as_str())));
    }
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
    held.retain(|role| *role != what.role);
    let mut all = new.or(own_duties(tx, what).await?);
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

/// Finds out which duties a robot has by its own policies.
async fn own_duties(r: &Reader, what: &NewBinding) -> Result<Duties> {
    let robot = match what.kind {
        SubjectKind::Robot => robot::find(r, &what.subject).await?,
        _ => None,
    };
    let own = robot.filter(|robot| robot.project.is_empty());
    Ok(own
        .and_then(|robot| Role::read("robot".into(), &robot.policies).ok())
        .map_or(Duties::NONE, |role| role.duties))
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

/// Returns how logs name the person that a role is bound to, if it is one whom they know.
async fn person(r: &Reader, what: &NewBinding) -> berth_catalog::Result<Option<String>> {
    if what.kind != SubjectKind::User {
        return Ok(None);
    }
    Ok(subject::find(r, &what.subject).await?.map(|person| person.pseudonym))
}

fn detail(what: &NewBinding) -> Value {
    json!({ "subject_kind": what.kind.as_str(), "subject": what.subject, "role": what.role, "project": what.project })
}
