//! `/roles`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use berth_access::{PolicyConfig, RoleConfig};
use http::StatusCode;
use serde::Deserialize;

use super::input::{Asking, Input, created, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// What a role becomes; its name is the path's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    description: String,
    policies: Vec<PolicyConfig>,
}

/// `GET /roles`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    page: Paging,
) -> Result<Response, Problem> {
    let found = app.manage()?.roles(&caller, page.last.as_deref().unwrap_or_default(), page.limit()).await?;
    Ok(page.reply(found, |known| known.role.name.clone()))
}

/// `POST /roles`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(config): Input<RoleConfig>,
) -> Result<Response, Problem> {
    let known = app.manage()?.create_role(&caller, config).await?;
    Ok(created(&["roles", &known.role.name], &known))
}

/// `GET /roles/{role}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(reply(&app.manage()?.role(&caller, &name).await?))
}

/// `PUT /roles/{role}`
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
    Input(Change { description, policies }): Input<Change>,
) -> Result<Response, Problem> {
    let config = RoleConfig { name, description, policies };
    Ok(reply(&app.manage()?.replace_role(&caller, config).await?))
}

/// `DELETE /roles/{role}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    app.manage()?.delete_role(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
