//! `/me/second-factor`: people have, confirm and remove their own.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::{Caller, ManageError};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::input::{Asking, Input, reply};
use super::problem::Problem;
use crate::app::App;

/// Who asks, in the address that authenticators show.
const ISSUER: &str = "berth";

/// Who comes with a session gives the password once more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    password: Option<String>,
}

/// A code of the authenticator.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    code: String,
}

/// `POST /me/second-factor`
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(Begin { password }): Input<Begin>,
) -> Result<Response, Problem> {
    let guess = password.as_deref().unwrap_or_default();
    let begun = tried(&app, &caller, guess, app.manage()?.begin_factor(&caller, password.as_deref())).await?;
    let shown = json!({ "secret": begun.to_base32(), "url": begun.to_uri(ISSUER, caller.name()) });
    let mut response = reply(&shown);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `PUT /me/second-factor`
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(Code { code }): Input<Code>,
) -> Result<Response, Problem> {
    tried(&app, &caller, &code, app.manage()?.confirm_factor(&caller, &code)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /me/second-factor`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    Input(Code { code }): Input<Code>,
) -> Result<Response, Problem> {
    tried(&app, &caller, &code, app.manage()?.drop_factor(&caller, &code)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Does what takes a password or a code, and counts a wrong one as a login that failed.
async fn tried<T>(
    app: &App,
    caller: &Caller,
    guess: &str,
    work: impl Future<Output = Result<T, ManageError>>,
) -> Result<T, Problem> {
    let client = caller.origin().map(|origin| origin.client);
    let client = client.ok_or_else(|| Problem::internal("a call came in from nowhere"))?;
    let attempt = app.limits.login(client, caller.name(), guess)?;
    let done = work.await;
    match &done {
        Ok(_) => attempt.succeeded(),
        Err(error) if error.is_wrong_proof() => drop(attempt),
        Err(_) => attempt.undecided(),
    }
    Ok(done?)
}
