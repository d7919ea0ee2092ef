use berth_catalog::event::{Author, Kind};
use berth_catalog::{Tx, project};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AdminError, Result, demand_project, tell};
use crate::resource::is_project;

/// What is to change about a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Whether everybody may pull.
    pub public: Option<bool>,
    /// What features keep with it: a JSON object that replaces what was there.
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
    let mut detail = json!({ "project": name });
    if let Some(public) = change.public {
        project::set_public(tx, name, public).await?;
        detail["public"] = public.into();
    }
    if let Some(settings) = &change.settings {
        project::set_settings(tx, name, settings).await?;
        detail["settings"] = settings.clone();
    }
    tell(tx, Kind::ProjectChanged, author, detail, now).await;
    Ok(())
}

/// Deletes a project without repositories, its bindings and its robots.
pub async fn delete_project(tx: &mut Tx, name: &str, author: &Author, now: Timestamp) -> Result<()> {
    if project::holds_repository(tx, name).await? {
        return Err(AdminError::ProjectInUse(name.to_owned()));
    }
    if !project::delete(tx, name).await? {
        return Err(AdminError::UnknownProject(name.to_owned()));
    }
    tell(tx, Kind::ProjectDeleted, author, json!({ "project": name }), now).await;
    Ok(())
}
