//! Makes, changes and deletes projects; one that goes takes its bindings and robots along.

use berth_catalog::event::{Author, Kind};
use berth_catalog::robot::{self, RobotId};
use berth_catalog::{Tx, binding, project};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::binding::unbind;
use super::{AdminError, Result, demand_project, tell};
use crate::account::delete_robot;
use crate::resource::is_project;

/// What is to change about a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Whether everybody may pull.
    pub public: Option<bool>,
    /// What features keep with it: a JSON object whose keys replace those that were there, or take them away with `null`. Others stay,
    /// so that two who change different ones don't undo each other's work.
    pub settings: Option<Value>,
}

/// Makes a project. It has no members: whoever makes it gets nothing by that.
pub async fn create_project(
    tx: &mut Tx,
    name: &str,
    public: bool,
    author: &Author,
    now: Timestamp,
) -> Result<()> {
    if !is_project(name) {
        return Err(AdminError::ProjectName(name.to_owned()));
    }
    if !project::insert(tx, name, public, &author.name, now).await? {
        return Err(AdminError::ProjectExists(name.to_owned()));
    }
    tell(tx, Kind::ProjectCreated, author, json!({ "project": name, "public": public }), now).await;
    Ok(())
}

/// Changes a project.
pub async fn change_project(
    tx: &mut Tx,
    name: &str,
    change: &ProjectChange,
    author: &Author,
    now: Timestamp,
) -> Result<()> {
    if change.settings.as_ref().is_some_and(|settings| !settings.is_object()) {
        return Err(AdminError::Settings);
    }
    demand_project(tx, name, now).await?;
    let found = project::find(tx, name).await?.ok_or_else(|| AdminError::UnknownProject(name.to_owned()))?;
    let mut detail = json!({ "project": name });
    if let Some(public) = change.public.filter(|public| *public != found.public) {
        project::set_public(tx, name, public).await?;
        detail["public"] = public.into();
    }
    if let Some(change) = &change.settings {
        let settings = merged(found.settings.clone(), change);
        if settings != found.settings {
            project::set_settings(tx, name, &settings).await?;
            detail["settings"] = settings;
        }
    }
    if detail.as_object().is_some_and(|detail| detail.len() == 1) {
        return Ok(());
    }
    tell(tx, Kind::ProjectChanged, author, detail, now).await;
    Ok(())
}

/// Puts a change of settings into what was there.
fn merged(mut settings: Value, change: &Value) -> Value {
    if let (Some(known), Some(change)) = (settings.as_object_mut(), change.as_object()) {
        for (key, value) in change {
            if value.is_null() {
                known.remove(key);
            } else {
                known.insert(key.clone(), value.clone());
            }
        }
    }
    settings
}

/// Robots and bindings read at a time.
const BATCH: usize = 500;

/// Deletes a project without repositories, its bindings, and its robots with theirs. Each that goes along is told of.
pub async fn delete_project(tx: &mut Tx, name: &str, author: &Author, now: Timestamp) -> Result<()> {
    if project::holds_repository(tx, name).await? {
        return Err(AdminError::ProjectInUse(name.to_owned()));
    }
    loop {
        let bindings = binding::list_project(tx, name, 0, BATCH).await?;
        let robots = robot::list_of(tx, name, RobotId(0), BATCH).await?;
        for bound in &bindings {
            unbind(tx, &bound.what, author, now).await?;
        }
        for robot in &robots {
            delete_robot(tx, robot, author, now).await?;
        }
        if bindings.is_empty() && robots.is_empty() {
            break;
        }
    }
    if !project::delete(tx, name).await? {
        return Err(AdminError::UnknownProject(name.to_owned()));
    }
    tell(tx, Kind::ProjectDeleted, author, json!({ "project": name }), now).await;
    Ok(())
}
