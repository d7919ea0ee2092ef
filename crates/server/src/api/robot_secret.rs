//! `…/robots/{robot}/secrets`: which there are and until when, another, and an end before its time. What they are is told once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_catalog::robot_secret::{RobotSecret, RobotSecretId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::input::{Asking, Input, Place, id_of, reply};
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

/// How a secret takes over from the one before, which goes on for an hour if nothing is said: nobody's pipeline breaks unasked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    #[serde(default = "an_hour")]
    overlap_seconds: u32,
    days: Option<u32>,
}

fn an_hour() -> u32 {
    3600
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

/// `POST …/robots/{robot}/secrets`
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
    Input(Rotation { overlap_seconds, days }): Input<Rotation>,
) -> Result<Response, Problem> {
    let (project, robot) = (place.project(), place.robot()?);
    let rotated = app.manage()?.rotate_robot(&caller, project, robot, overlap_seconds, days).await?;
    let shown = json!({
        "secret": rotated.secret.reveal(),
        "before_ends_at": rotated.before_ends_at.to_string(),
        "expires_at": rotated.expires_at.map(|time| time.to_string()),
    });
    let mut response = reply(&shown);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
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
