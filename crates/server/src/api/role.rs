//! `/roles`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::{Action, Effect, KnownRole, PolicyConfig, RoleConfig};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::input::{Asking, Input, Named, created, reply};
use super::page::Paging;
use super::problem::Problem;
use crate::app::App;

/// A role as calls show it: with all that it has, whatever it was left out of.
#[derive(Serialize)]
struct Shown {
    name: String,
    description: String,
    policies: Vec<ShownPolicy>,
    fixed: bool,
}

/// A policy as calls show it.
#[derive(Serialize)]
pub(super) struct ShownPolicy {
    resources: Vec<String>,
    actions: Vec<Action>,
    effect: Effect,
}

impl From<PolicyConfig> for ShownPolicy {
    fn from(policy: PolicyConfig) -> Self {
        let PolicyConfig { resources, actions, effect } = policy;
        Self { resources, actions, effect }
    }
}

impl From<KnownRole> for Shown {
    fn from(known: KnownRole) -> Self {
        let RoleConfig { name, description, policies } = known.role;
        let policies = policies.into_iter().map(Into::into).collect();
        Self { name, description, policies, fixed: known.fixed }
    }
}

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
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    Ok(page.reply(shown, |role| role.name.clone()))
}

/// `POST /roles`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(config): Input<RoleConfig>,
) -> Result<Response, Problem> {
    let known = app.manage()?.create_role(&caller, config).await?;
    let name = known.role.name.clone();
    Ok(created(&["roles", &name], &Shown::from(known)))
}

/// `GET /roles/{role}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.role(&caller, &name).await?)))
}

/// `PUT /roles/{role}`
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
    Input(Change { description, policies }): Input<Change>,
) -> Result<Response, Problem> {
    let config = RoleConfig { name, description, policies };
    Ok(reply(&Shown::from(app.manage()?.replace_role(&caller, config).await?)))
}

/// `DELETE /roles/{role}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    app.manage()?.delete_role(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
