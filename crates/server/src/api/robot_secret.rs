//! `…/robots/{robot}/secrets/{secret}`: the end of one before its time.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_catalog::robot_secret::RobotSecretId;
use http::StatusCode;

use super::binding::id_of;
use super::input::{Asking, Place};
use super::problem::Problem;
use crate::app::App;

/// `DELETE …/robots/{robot}/secrets/{secret}`
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
) -> Result<Response, Problem> {
    let id = RobotSecretId(id_of(place.secret()?)?);
    app.manage()?.end_robot_secret(&caller, place.project(), place.robot()?, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
