//! `/me/tokens`: a password and a code once, then some minutes of calls.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::input::{Asking, reply};
use super::problem::Problem;
use crate::app::App;

/// `POST /me/tokens`
pub(super) async fn create(State(app): State<Arc<App>>, Asking(caller): Asking) -> Result<Response, Problem> {
    let (secret, expires_at) = app.manage()?.create_token(&caller).await?;
    let shown = json!({ "token": secret.reveal(), "expires_at": expires_at.to_string() });
    let mut response = reply(&shown);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
