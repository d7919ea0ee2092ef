//! `/me` and `/access/explain`: who am I, what may I do, and why.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use berth_access::{Action, Subject, Target};
use serde::Deserialize;

use super::input::{Asking, reply};
use super::problem::Problem;
use crate::app::App;

/// `GET /me`
pub(super) async fn me(State(app): State<Arc<App>>, Asking(caller): Asking) -> Result<Response, Problem> {
    Ok(reply(&app.manage()?.me(&caller)))
}

/// What is to be explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// Whom it is about; the caller, if it is left out.
    subject: Option<String>,
    action: String,
    resource: String,
}

/// `GET /access/explain?subject=&action=&resource=`
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(question) = question.map_err(|error| Problem::invalid(error.body_text()))?;
    let wrong = |error: &dyn std::fmt::Display| Problem::invalid(error.to_string());
    let subject: Option<Subject> =
        question.subject.map(|text| text.parse()).transpose().map_err(|error| wrong(&error))?;
    let action: Action = question.action.parse().map_err(|error| wrong(&error))?;
    let target: Target = question.resource.parse().map_err(|error| wrong(&error))?;
    Ok(reply(&app.manage()?.explain(&caller, subject.as_ref(), action, &target)?))
}
