//! `/password`: people change their own, also where nothing else is allowed before that.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::PasswordChange;
use http::StatusCode;
use serde::Deserialize;

use super::input::{Asking, Input};
use super::problem::Problem;
use crate::app::App;

/// The old password proves who it is, so the call needs no other credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    name: String,
    old: String,
    new: String,
    code: Option<String>,
}

/// `PUT /password`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(Change { name, old, new, code }): Input<Change>,
) -> Result<Response, Problem> {
    let client = caller.origin().map(|origin| origin.client);
    let client = client.ok_or_else(|| Problem::internal("a call came in from nowhere"))?;
    // With the code: else as many of them as are sent at once would count as one guess.
    let tried = format!("{old}\0{}", code.as_deref().unwrap_or_default());
    let attempt = app.limits.login(client, &name, &tried)?;
    let change = PasswordChange { name: &name, old: &old, new: &new, code: code.as_deref() };
    let changed = app.manage()?.change_own_password(&caller, change).await;
    match &changed {
        Ok(()) => attempt.succeeded(),
        Err(error) if error.is_wrong_proof() => drop(attempt),
        // What went wrong after the old one was right is no guess.
        Err(_) => attempt.undecided(),
    }
    changed?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
