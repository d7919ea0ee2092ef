//! `/robots` and `/projects/{project}/robots`. A secret is in the answer that makes it, and nowhere else.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use berth_access::{PolicyConfig, RobotChange, RobotWanted};
use berth_catalog::robot::{Robot, RobotId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::input::{Asking, Input, Place, created, reply};
use super::page::Paging;
use super::problem::Problem;
use super::role::ShownPolicy;
use crate::app::App;

/// A robot as calls show it.
#[derive(Serialize)]
struct Shown {
    /// The whole name, to log in with.
    name: String,
    description: String,
    policies: Vec<ShownPolicy>,
    owner: String,
    created_at: String,
    expires_at: Option<String>,
    disabled_at: Option<String>,
    used_at: Option<String>,
    /// What `last` says of it.
    #[serde(skip)]
    id: i64,
}

impl From<Robot> for Shown {
    fn from(robot: Robot) -> Self {
        let text = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
        Self {
            id: robot.id.0,
            // What can't be read allows nothing, and shows nothing.
            policies: serde_json::from_str::<Vec<PolicyConfig>>(&robot.policies)
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            created_at: robot.created_at.to_string(),
            expires_at: text(robot.expires_at),
            disabled_at: text(robot.disabled_at),
            used_at: text(robot.used_at),
            name: robot.name,
            description: robot.description,
            owner: robot.owner,
        }
    }
}

/// What makes a robot. Its project is the path's, its owner whoever makes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    #[serde(default)]
    description: String,
    /// Pulling from its project and pushing to it, if nothing is said.
    policies: Option<Vec<PolicyConfig>>,
    days: Option<u32>,
}

/// What may change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    description: Option<String>,
    policies: Option<Vec<PolicyConfig>>,
    disabled: Option<bool>,
}

/// `GET …/robots`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
    page: Paging,
) -> Result<Response, Problem> {
    let after = RobotId(page.after_number()?);
    let found = app.manage()?.robots(&caller, place.project(), after, page.limit()).await?;
    let shown: Vec<Shown> = found.into_iter().map(Into::into).collect();
    Ok(page.reply(shown, |robot| robot.id.to_string()))
}

/// `POST …/robots`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
    Input(New { name, description, policies, days }): Input<New>,
) -> Result<Response, Problem> {
    let policies = match (policies, place.project()) {
        (Some(policies), _) => policies,
        (None, Some(project)) => vec![PolicyConfig::of_project(project)],
        (None, None) => {
            return Err(Problem::invalid("a robot of the system needs policies: say what it may do"));
        }
    };
    let wanted = RobotWanted { name: name.clone(), description, policies, days };
    let (robot, secret) = app.manage()?.create_robot(&caller, place.project(), wanted).await?;
    let mut shown = json!(Shown::from(robot));
    shown["secret"] = secret.reveal().into();
    let path = match place.project() {
        Some(project) => vec!["projects", project, "robots", &name],
        None => vec!["robots", &name],
    };
    Ok(created(&path, &shown))
}

/// `GET …/robots/{robot}`
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
) -> Result<Response, Problem> {
    Ok(reply(&Shown::from(app.manage()?.robot(&caller, place.project(), place.robot()?).await?)))
}

/// `PATCH …/robots/{robot}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
    Input(Change { description, policies, disabled }): Input<Change>,
) -> Result<Response, Problem> {
    let change = RobotChange { description, policies, disabled };
    let robot = app.manage()?.change_robot(&caller, place.project(), place.robot()?, change).await?;
    Ok(reply(&Shown::from(robot)))
}

/// `DELETE …/robots/{robot}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Asking(caller): Asking,
    place: Place,
) -> Result<Response, Problem> {
    app.manage()?.delete_robot(&caller, place.project(), place.robot()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
