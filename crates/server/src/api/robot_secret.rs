//! `…/robots/{robot}/secrets`: which there are and until when, and an end before its time. What they are, nobody is told again.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_catalog::robot_secret::{RobotSecret, RobotSecretId};
use http::StatusCode;
use serde::Serialize;

use super::binding::id_of;
use super::input::{Asking, Place, reply};
use super::problem::Problem;
use crate::app::App;

/// A secret as calls show it.
#[derive(Serialize)]
struct Shown {
    id: i64,
    created_at: String,
    /// None while it lives as long as the robot.
    expires_at: Option<String>,
}

impl From<RobotSecret> for Shown {
    fn from(secret: RobotSecret) -> Self {
        let expires_at = secret.expires_at.map(|at| at.to_string());
        Self { id: secret.id.0, created_at: secret.created_at.to_string(), expires_at }
    }
}

/// `GET …/robots/{robot}/secrets`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
) -> Result<Response, Problem> {
    let found = app.manage()?.robot_secrets(&caller, place.project(), place.robot()?).await?;
    Ok(reply(&found.into_iter().map(Shown::from).collect::<Vec<_>>()))
}

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
