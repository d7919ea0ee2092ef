//! `berth bind`: gives roles and takes them away, beside a running server.

use anyhow::{Result, bail};
use berth_access::Subject;
use berth_access::admin::{self, AdminError};
use berth_catalog::Reader;
use berth_catalog::binding::{self, Binding, NewBinding};
use berth_catalog::page::all;
use serde_json::{Value, json};

use super::access::{Desk, at_desk};
use super::audit::Names;
use super::print;
use crate::cli::{self, BindCommand, Bound};

/// Bindings read at a time.
const BATCH: usize = 500;

pub(super) fn run(arguments: cli::Bind) -> Result<()> {
    match arguments.command {
        BindCommand::Add { bound, yes } => add(bound, yes),
        BindCommand::Remove(bound) => remove(bound),
        BindCommand::List { project, listed } => {
            at_desk(listed.place, async move |desk| list(&desk, project.as_deref(), listed.json).await)
        }
    }
}

fn add(bound: Bound, yes: bool) -> Result<()> {
    let (what, place, subject) = (binding(&bound), bound.place, bound.subject);
    at_desk(place, async move |desk| {
        let line = line(&what);
        desk.introduce(&subject).await?;
        let made = desk.change(async move |tx, rules, author, now| {
            if yes {
                admin::bind_knowingly(tx, rules, &what, author, now).await
            } else {
                admin::bind(tx, rules, &what, author, now).await
            }
        });
        let made = made.await.map_err(|error| match error.downcast_ref() {
            Some(AdminError::Everybody { .. }) => {
                error.context("nothing was bound; say --yes if this is meant")
            }
            _ => error,
        })?;
        let now = if made { "bound" } else { "was bound already" };
        Ok(print(format!("{now}: {line}\n"))?)
    })
}

fn remove(bound: Bound) -> Result<()> {
    let (what, place) = (binding(&bound), bound.place);
    at_desk(place, async move |desk| {
        let line = line(&what);
        let configured = desk.rules.bindings().any(|(subject, role, project)| {
            *subject == bound.subject
                && role == what.role
                && project == Some(&*what.project).filter(|name| !name.is_empty())
        });
        let gone = desk.change(async move |tx, _, author, now| admin::unbind(tx, &what, author, now).await);
        if !gone.await? {
            bail!("nothing was bound so: {line}");
        }
        print(format!("taken away: {line}\n"))?;
        if configured {
            print("the configuration binds it as well: it counts until it is removed there, too\n")?;
        }
        Ok(())
    })
}

fn binding(bound: &Bound) -> NewBinding {
    NewBinding {
        kind: bound.subject.kind(),
        subject: bound.subject.name().to_owned(),
        role: bound.role.clone(),
        project: bound.project.clone().unwrap_or_default(),
    }
}

/// Prints the bindings of a project, or all.
pub(super) async fn list(desk: &Desk, project: Option<&str>, json: bool) -> Result<()> {
    let mut names = Names::new(desk.catalog.clone());
    let page = async |last: Option<&Binding>| {
        let after = last.map_or(0, |binding| binding.id);
        let list = async |r: &Reader| match project {
            Some(project) => binding::list_project(r, project, after, BATCH).await,
            None => binding::list(r, after, BATCH).await,
        };
        desk.catalog.read(list).await
    };
    for Binding { id, what, created_at, created_by } in all(BATCH, page).await? {
        let created_by = names.of(&created_by).await?;
        if json {
            let project = Some(&*what.project).filter(|project| !project.is_empty());
            let mut shown = fields(&subject(&what), &what.role, project);
            shown["id"] = id.into();
            shown["created_by"] = created_by.into();
            shown["created_at"] = created_at.to_string().into();
            print(format!("{shown}\n"))?;
        } else {
            print(format!("{}\t{created_by}\t{created_at}\n", line(&what)))?;
        }
    }
    for (subject, role, within) in desk.rules.bindings() {
        if project.is_some() && project != within {
            continue;
        }
        if json {
            let mut shown = fields(&subject.to_string(), role, within);
            shown["created_by"] = "configuration".into();
            print(format!("{shown}\n"))?;
        } else {
            print(format!("{}\tconfiguration\n", words(&subject.to_string(), role, within)))?;
        }
    }
    Ok(())
}

fn line(what: &NewBinding) -> String {
    words(&subject(what), &what.role, Some(&*what.project).filter(|project| !project.is_empty()))
}

fn subject(what: &NewBinding) -> String {
    let subject = Subject::new(what.kind, &what.subject);
    subject.map_or_else(|_| what.subject.clone(), |subject| subject.to_string())
}

/// A binding for programs.
fn fields(subject: &str, role: &str, project: Option<&str>) -> Value {
    json!({ "subject": subject, "role": role, "project": project })
}

fn words(subject: &str, role: &str, project: Option<&str>) -> String {
    let place = project.map_or_else(|| "everywhere".to_owned(), |project| format!("project/{project}"));
    format!("{subject}\t{role}\t{place}")
}
