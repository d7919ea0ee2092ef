//! `/projects/{project}/members` and `/bindings`: who has which role in a project, and everywhere.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use berth_access::Subject;
use berth_catalog::binding::Binding;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::input::{Asking, Input, created, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// A binding as calls show it. Where it holds, its path says.
#[derive(Serialize)]
struct Shown {
    id: i64,
    subject: String,
    role: String,
    created_at: String,
    created_by: String,
}

impl From<Binding> for Shown {
    fn from(binding: Binding) -> Self {
        let what = binding.what;
        let subject =
            Subject::new(what.kind, &what.subject).map_or(what.subject, |subject| subject.to_string());
        Self {
            id: binding.id,
            subject,
            role: what.role,
            created_at: binding.created_at.to_string(),
            created_by: binding.created_by,
        }
    }
}

/// What binds a role. The project is the path's, so nobody can name another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    subject: Subject,
    role: String,
}

/// `GET /projects/{project}/members`
pub(super) async fn members(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(project): Path<String>,
    page: Paging,
) -> Result<Response, Problem> {
    let found = app.manage()?.members(&caller, &project, number(page.last.as_deref())?, page.limit()).await?;
    Ok(shown(&page, found))
}

/// `POST /projects/{project}/members`
pub(super) async fn add_member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(project): Path<String>,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let binding = app.manage()?.add_member(&caller, &project, &new.subject, &new.role).await?;
    Ok(created(&["projects", &project, "members", &binding.id.to_string()], &Shown::from(binding)))
}

/// `GET /projects/{project}/members/{id}`
pub(super) async fn member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path((project, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.member(&caller, &project, id_of(&id)?).await?)))
}

/// `DELETE /projects/{project}/members/{id}`
pub(super) async fn remove_member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path((project, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    app.manage()?.remove_member(&caller, &project, id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /bindings`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    page: Paging,
) -> Result<Response, Problem> {
    let found = app.manage()?.bindings(&caller, number(page.last.as_deref())?, page.limit()).await?;
    Ok(shown(&page, found))
}

/// `POST /bindings`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let binding = app.manage()?.bind(&caller, &new.subject, &new.role).await?;
    Ok(created(&["bindings", &binding.id.to_string()], &Shown::from(binding)))
}

/// `GET /bindings/{id}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.binding(&caller, id_of(&id)?).await?)))
}

/// `DELETE /bindings/{id}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    app.manage()?.unbind(&caller, id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn shown(page: &Paging, found: Vec<Binding>) -> Response {
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    page.reply(shown, |binding| binding.id.to_string())
}

/// Reads the number after which a page begins.
pub(super) fn number(last: Option<&str>) -> Result<i64, Problem> {
    let number = last.map_or(Ok(0), str::parse);
    number.map_err(|_| Problem::invalid("parameter last is no number: use what Link says"))
}

/// Reads a number from a path. What is none names nothing.
pub(super) fn id_of(text: &str) -> Result<i64, Problem> {
    text.parse().ok().filter(|id| *id > 0).ok_or_else(Problem::not_found)
}
