//! `/me/application-passwords` and `/users/{user}/application-passwords`. A secret is in the answer that makes it, and nowhere else.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_catalog::app_password::{AppPassword, AppPasswordId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::input::{Asking, Input, Named, created, id_of, reply};
use super::problem::Problem;
use crate::app::App;

/// An application password as calls show it.
#[derive(Serialize)]
struct Shown {
    id: i64,
    name: String,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    used_at: Option<String>,
}

impl From<AppPassword> for Shown {
    fn from(password: AppPassword) -> Self {
        let text = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
        Self {
            id: password.id.0,
            created_at: password.created_at.to_string(),
            expires_at: password.expires_at.to_string(),
            revoked_at: text(password.revoked_at),
            used_at: text(password.used_at),
            name: password.name,
        }
    }
}

/// What makes one, for whoever asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    days: u32,
}

/// `GET /me/application-passwords`
pub(super) async fn own(State(app): State<Arc<App>>, Asking(caller): Asking) -> Result<Response, Problem> {
    let name = caller.name().to_owned();
    of(State(app), Asking(caller), Named(name)).await
}

/// `POST /me/application-passwords`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(New { name, days }): Input<New>,
) -> Result<Response, Problem> {
    let made = app.manage()?.create_application_password(&caller, name.clone(), days).await?;
    let (id, secret, expires_at) = made;
    let shown =
        json!({ "id": id.0, "name": name, "expires_at": expires_at.to_string(), "secret": secret.reveal() });
    Ok(created(&["me", "application-passwords", &id.0.to_string()], &shown))
}

/// `DELETE /me/application-passwords/{id}`
pub(super) async fn revoke_own(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    let name = caller.name().to_owned();
    revoke(State(app), Asking(caller), Named((name, id))).await
}

/// `GET /users/{user}/application-passwords`
pub(super) async fn of(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named(user): Named<String>,
) -> Result<Response, Problem> {
    let found = app.manage()?.application_passwords(&caller, &user).await?;
    Ok(reply(&found.into_iter().map(Shown::from).collect::<Vec<_>>()))
}

/// `DELETE /users/{user}/application-passwords/{id}`
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Named((user, id)): Named<(String, String)>,
) -> Result<Response, Problem> {
    app.manage()?.revoke_application_password(&caller, &user, AppPasswordId(id_of(&id)?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
