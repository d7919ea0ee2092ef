//! `/projects`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use berth_access::ProjectChange;
use berth_catalog::project::Project;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{Asking, Input, created, reply};
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
    created_by: String,
}

impl From<Project> for Shown {
    fn from(project: Project) -> Self {
        let Project { name, public, settings, created_at, created_by } = project;
        Self { name, public, settings, created_at: created_at.to_string(), created_by }
    }
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
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    Ok(page.reply_up_to(shown, |project| project.name.clone(), stopped_at))
}

/// `POST /projects`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let project = app.manage()?.create_project(&caller, &new.name, new.public).await?;
    Ok(created(&["projects", &new.name], &Shown::from(project)))
}

/// `GET /projects/{project}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.project(&caller, &name).await?)))
}

/// `PATCH /projects/{project}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
    Input(change): Input<Change>,
) -> Result<Response, Problem> {
    let change = ProjectChange { public: change.public, settings: change.settings.map(Value::Object) };
    if change == ProjectChange::default() {
        return Err(Problem::invalid("nothing to change: give public or settings"));
    }
    Ok(reply(&Shown::from(app.manage()?.change_project(&caller, &name, change).await?)))
}

/// `DELETE /projects/{project}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    app.manage()?.delete_project(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
