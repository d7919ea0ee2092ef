//! `berth project`: makes, shows, changes and deletes projects, beside a running server.

use anyhow::{Context as _, Result, bail};
use berth_access::admin::{self, ProjectChange};
use berth_catalog::page::all;
use berth_catalog::project::{self, Project};
use serde_json::json;

use super::access::{Desk, at_desk};
use super::audit::Names;
use super::{bind, print};
use crate::cli::{self, ProjectCommand};

/// Projects read at a time.
const BATCH: usize = 500;

pub(super) fn run(arguments: cli::Project) -> Result<()> {
    match arguments.command {
        ProjectCommand::Create { name, public, place } => at_desk(place, async move |desk| {
            let made = name.clone();
            desk.change(async move |tx, _, author, now| {
                admin::create_project(tx, &made, public, author, now).await
            })
            .await?;
            Ok(print(format!("project {name} is there, {}\n", word(public)))?)
        }),
        ProjectCommand::List(listed) => {
            at_desk(listed.place, async move |desk| list(&desk, listed.json).await)
        }
        ProjectCommand::Show { name, place } => at_desk(place, async move |desk| show(&desk, &name).await),
        ProjectCommand::Set { name, public, settings, place } => {
            let settings = settings.as_deref().map(serde_json::from_str).transpose();
            let change = ProjectChange { public, settings: settings.context("--settings is no JSON")? };
            if change == ProjectChange::default() {
                bail!("nothing to change: say --public or --settings");
            }
            at_desk(place, async move |desk| {
                let changed = name.clone();
                desk.change(async move |tx, _, author, now| {
                    admin::change_project(tx, &changed, &change, author, now).await
                })
                .await?;
                show(&desk, &name).await
            })
        }
        ProjectCommand::Delete { name, place } => at_desk(place, async move |desk| {
            let gone = name.clone();
            desk.change(async move |tx, _, author, now| admin::delete_project(tx, &gone, author, now).await)
                .await?;
            Ok(print(format!("project {name} is gone, with its bindings and robots\n"))?)
        }),
    }
}

async fn list(desk: &Desk, json: bool) -> Result<()> {
    let mut names = Names::new(desk.catalog.clone());
    let page = async |last: Option<&Project>| {
        let after = last.map_or("", |project| &project.name);
        desk.catalog.read(async |r| project::list(r, after, BATCH).await).await
    };
    for Project { name, public, created_at, created_by, .. } in all(BATCH, page).await? {
        let created_by = names.of(&created_by).await?;
        if json {
            let line = json!({
                "name": name,
                "public": public,
                "created_by": created_by,
                "created_at": created_at,
            });
            print(format!("{line}\n"))?;
        } else {
            print(format!("{name}\t{}\t{created_by}\t{created_at}\n", word(public)))?;
        }
    }
    Ok(())
}

async fn show(desk: &Desk, name: &str) -> Result<()> {
    let Some(project) = desk.catalog.read(async |r| project::find(r, name).await).await? else {
        bail!("there is no project {name:?}; `berth project list` prints those that there are");
    };
    let Project { public, settings, created_at, created_by, .. } = project;
    let maker = Names::new(desk.catalog.clone()).of(&created_by).await?;
    let by = if maker.is_empty() { "pushes before there were projects" } else { &maker };
    print(format!("project {name}, {}, made by {by} at {created_at}\nsettings {settings}\n", word(public)))?;
    bind::list(desk, Some(name), false).await
}

fn word(public: bool) -> &'static str {
    if public { "public" } else { "private" }
}
