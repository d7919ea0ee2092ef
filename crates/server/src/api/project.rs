//! `/projects`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::{Caller, ProjectChange};
use berth_catalog::project::Project;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{Asking, Input, Named, created, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// A project as calls show it.
#[derive(Serialize)]
struct Shown {
    name: String,
    public: bool,
    settings: Value,
    created_at: String,
    /// None for callers without credentials: names of users are for those who are some.
    created_by: Option<String>,
}

/// Says of projects who made them, by name.
async fn shown(app: &App, caller: &Caller, projects: Vec<Project>) -> Result<Vec<Shown>, Problem> {
    let authors = projects.iter().map(|project| project.created_by.clone()).collect();
    let authors = app.manage()?.names_of(authors).await?;
    let shown = projects.into_iter().zip(authors).map(|(project, by)| Shown {
        name: project.name,
        public: project.public,
        settings: project.settings,
        created_at: project.created_at.to_string(),
        created_by: Some(by).filter(|_| !caller.is_anonymous()),
    });
    Ok(shown.collect())
}

async fn shown_one(app: &App, caller: &Caller, project: Project) -> Result<Shown, Problem> {
    let shown = shown(app, caller, vec![project]).await?;
    shown.into_iter().next().ok_or_else(Problem::not_found)
}

/// What makes a project.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    #[serde(default)]
    public: bool,
}

/// What may change about one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    public: Option<bool>,
    settings: Option<Map<String, Value>>,
}

/// `GET /projects`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    page: Paging,
) -> Result<Response, Problem> {
    let after = page.last.as_deref().unwrap_or_default();
    let (found, stopped_at) = app.manage()?.projects(&caller, after, page.limit()).await?;
    let shown = shown(&app, &caller, found).await?;
    Ok(page.reply_up_to(shown, |project| project.name.clone(), stopped_at))
}

/// `POST /projects`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let project = app.manage()?.create_project(&caller, &new.name, new.public).await?;
    Ok(created(&["projects", &new.name], &shown_one(&app, &caller, project).await?))
}

/// `GET /projects/{project}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    let project = app.manage()?.project(&caller, &name).await?;
    Ok(reply(&shown_one(&app, &caller, project).await?))
}

/// `PATCH /projects/{project}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
    Input(change): Input<Change>,
) -> Result<Response, Problem> {
    let change = ProjectChange { public: change.public, settings: change.settings.map(Value::Object) };
    if change == ProjectChange::default() {
        return Err(Problem::invalid("nothing to change: give public or settings"));
    }
    let project = app.manage()?.change_project(&caller, &name, change).await?;
    Ok(reply(&shown_one(&app, &caller, project).await?))
}

/// `DELETE /projects/{project}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.delete_project(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
