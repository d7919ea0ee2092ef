//! `/projects/{project}/members` and `/bindings`: who has which role in a project, and everywhere.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use berth_access::{BindingMark, BindingsWanted, Caller, KnownBinding, Subject, SubjectError, Within};
use berth_catalog::binding::Binding;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::input::{Asking, Input, Named, created, id_of, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// A binding as calls show it.
#[derive(Serialize)]
struct Shown {
    /// None of those that the configuration has.
    id: Option<i64>,
    subject: String,
    role: String,
    /// The only project in which it counts.
    project: Option<String>,
    created_at: Option<String>,
    created_by: Option<String>,
    /// Whether it stands in the configuration, where calls can't change it.
    fixed: bool,
    #[serde(skip)]
    mark: BindingMark,
}

impl From<KnownBinding> for Shown {
    fn from(binding: KnownBinding) -> Self {
        let KnownBinding { mark, subject, role, project, created_at, created_by } = binding;
        let id = match mark {
            BindingMark::Stored(id) => Some(id),
            BindingMark::Fixed(_) => None,
        };
        let created_at = created_at.map(|at| at.to_string());
        Self { id, subject, role, project, created_at, created_by, fixed: id.is_none(), mark }
    }
}

/// Which bindings of a list are asked for, and where it goes on.
pub(super) struct Asked {
    page: Paging,
    wanted: BindingsWanted,
    after: BindingMark,
    project: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let known = ["subject", "role", "project"];
        let (page, [subject, role, project]) = Paging::parse(parts.uri.path(), query, known)?;
        let subject = subject.map(|text| text.parse()).transpose();
        let subject = subject.map_err(|error: SubjectError| Problem::invalid(error.to_string()))?;
        let after = page.last.as_deref().map_or(Ok(BindingMark::START), str::parse);
        let after = after
            .map_err(|_| Problem::invalid("parameter last is no place in this list: use what Link says"))?;
        Ok(Self { page, wanted: BindingsWanted { subject, role }, after, project })
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
    Named(project): Named<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    if asked.project.is_some() {
        return Err(Problem::invalid(
            "the path names the project: this list knows the parameters n, last, subject, role",
        ));
    }
    listed(&app, &caller, Within::Project(&project), &asked).await
}

/// `POST /projects/{project}/members`
pub(super) async fn add_member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(project): Named<String>,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let binding = app.manage()?.bind(&caller, Some(&project), &new.subject, &new.role).await?;
    Ok(created(&["projects", &project, "members", &binding.id.to_string()], &shown(&app, binding).await?))
}

/// `GET /projects/{project}/members/{id}`
pub(super) async fn member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named((project, id)): Named<(String, String)>,
) -> Result<Response, Problem> {
    Ok(reply(&shown(&app, app.manage()?.binding(&caller, Some(&project), id_of(&id)?).await?).await?))
}

/// `DELETE /projects/{project}/members/{id}`
pub(super) async fn remove_member(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named((project, id)): Named<(String, String)>,
) -> Result<Response, Problem> {
    app.manage()?.unbind(&caller, Some(&project), id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /bindings`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    asked: Asked,
) -> Result<Response, Problem> {
    let within = match asked.project.as_deref() {
        None => Within::Everywhere,
        Some("*") => Within::Anywhere,
        Some(_) => {
            let detail = "use project=* for those of all projects too; those of one are its members";
            return Err(Problem::invalid(detail));
        }
    };
    listed(&app, &caller, within, &asked).await
}

/// `POST /bindings`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(new): Input<New>,
) -> Result<Response, Problem> {
    let binding = app.manage()?.bind(&caller, None, &new.subject, &new.role).await?;
    Ok(created(&["bindings", &binding.id.to_string()], &shown(&app, binding).await?))
}

/// `GET /bindings/{id}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    Ok(reply(&shown(&app, app.manage()?.binding(&caller, None, id_of(&id)?).await?).await?))
}

/// `DELETE /bindings/{id}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.unbind(&caller, None, id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn listed(app: &App, caller: &Caller, within: Within<'_>, asked: &Asked) -> Result<Response, Problem> {
    let Asked { page, wanted, after, .. } = asked;
    let found = app.manage()?.known_bindings(caller, within, wanted, *after, page.limit()).await?;
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    Ok(page.reply(shown, |binding| binding.mark.to_string()))
}

async fn shown(app: &App, binding: Binding) -> Result<Shown, Problem> {
    Ok(app.manage()?.known_binding(binding).await?.into())
}
