//! Accounts of pipelines.

use berth_catalog::Tx;
use berth_catalog::event::{self, Author, Kind};
use berth_catalog::robot::{self, Robot, RobotId};
use berth_catalog::robot_secret::{self, RobotSecret};
use jiff::Timestamp;
use serde_json::json;

use super::admin::event_of;
use super::robot_policy::{Grantor, check};
use super::rules::after;
use super::secret::{RandomSecret, SecretKind};
use super::{Accounts, Error, RobotName};
use crate::policy::PolicyConfig;

/// Ended secrets are remembered for so long, so that whoever still has one hears why.
const REMEMBERED_SECONDS: i64 = 180 * 86_400;
/// Longer than this no two secrets are good at once.
const MAX_OVERLAP_SECONDS: u32 = 30 * 86_400;
/// Robots read at a time.
const PAGE: usize = 500;
/// Secrets shown of one robot.
const SECRETS: usize = 20;
const MAX_DESCRIPTION_BYTES: usize = 1024;

/// A robot to make.
#[derive(Debug, Clone)]
pub struct NewRobot {
    /// Its name, which says its project.
    pub name: RobotName,
    /// What it is for.
    pub description: String,
    /// What it may do.
    pub policies: Vec<PolicyConfig>,
    /// Who answers for it.
    pub owner: String,
    /// Days that it lives; `None` for ever, if the rules allow that.
    pub days: Option<u32>,
}

/// A robot's new secret.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The secret, to be shown this once.
    pub secret: RandomSecret,
    /// When those before end.
    pub before_ends_at: Timestamp,
    /// When the robot ends.
    pub expires_at: Option<Timestamp>,
}

impl Accounts {
    /// Makes a robot; the secret is shown this once.
    ///
    /// # Errors
    /// [`Error::Taken`], [`Error::TooLong`], [`Error::Outside`] and [`Error::Beyond`].
    pub async fn create_robot(
        &self,
        new: NewRobot,
        grantor: &dyn Grantor,
        by: &Author,
    ) -> Result<(Robot, RandomSecret), Error> {
        let now = self.now();
        let row = robot::New {
            project: new.name.project().unwrap_or_default().to_owned(),
            policies: check(&new.policies, new.name.project(), grantor)?,
            name: new.name.to_string(),
            description: clean(&new.description),
            owner: new.owner,
            expires_at: self.0.rules.robots.expiry(new.days, now)?,
        };
        let secret = RandomSecret::generate(SecretKind::Robot)?;
        let (hash, by) = (secret.hash(), by.clone());
        let made = self.change(async move |tx| {
            let id = robot::insert(tx, &row, now).await?.ok_or_else(|| Error::Taken(row.name.clone()))?;
            robot_secret::insert(tx, id, &hash, None, now).await?;
            log(tx, &row.name, "created", &by, now).await;
            robot::find_by_id(tx, id).await?.ok_or_else(|| unknown(&row.name))
        });
        Ok((made.await?, secret))
    }

    /// Finds a robot.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn robot_named(&self, name: &RobotName) -> Result<Robot, Error> {
        let found = self.0.catalog.read(async |r| robot::find(r, name.as_str()).await).await?;
        found.ok_or_else(|| unknown(name.as_str()))
    }

    /// Lists robots in the order of their names, behind `after`.
    pub async fn robots(&self, after: &str, limit: usize) -> Result<Vec<Robot>, Error> {
        Ok(self.0.catalog.read(async |r| robot::list(r, after, limit).await).await?)
    }

    /// Lists the robots of one project (of the system, if none is named), behind `after`.
    pub async fn robots_of(
        &self,
        project: Option<&str>,
        after: RobotId,
        limit: usize,
    ) -> Result<Vec<Robot>, Error> {
        let project = project.unwrap_or_default();
        Ok(self.0.catalog.read(async |r| robot::list_of(r, project, after, limit).await).await?)
    }

    /// Lists every robot that nobody used for so many days, those never used included once they are that old.
    pub async fn robots_unused_for(&self, days: u32) -> Result<Vec<Robot>, Error> {
        let before = after(self.now(), -86_400 * i64::from(days));
        let (mut unused, mut behind) = (Vec::new(), String::new());
        loop {
            let page = self.robots(&behind, PAGE).await?;
            let is_last = page.len() < PAGE;
            behind = page.last().map(|robot| robot.name.clone()).unwrap_or_default();
            unused
                .extend(page.into_iter().filter(|robot| robot.used_at.unwrap_or(robot.created_at) <= before));
            if is_last {
                return Ok(unused);
            }
        }
    }

    /// Lists a robot's secrets, the newest first; of each only when it was made and when it ends.
    pub async fn robot_secrets(&self, id: RobotId) -> Result<Vec<RobotSecret>, Error> {
        Ok(self.0.catalog.read(async |r| robot_secret::list(r, id, SECRETS).await).await?)
    }

    /// Sets what a robot is for and what it may do.
    ///
    /// # Errors
    /// As of [`Accounts::create_robot`].
    pub async fn set_robot_policies(
        &self,
        name: &RobotName,
        description: &str,
        policies: &[PolicyConfig],
        grantor: &dyn Grantor,
        by: &Author,
    ) -> Result<(), Error> {
        let (policies, description) = (check(policies, name.project(), grantor)?, clean(description));
        self.on_robot(name, "policies changed", by, async move |tx, robot, _| {
            robot::set_policies(tx, robot.id, &description, &policies).await
        })
        .await
    }

    /// Gives a robot another secret, and other days to live if they are given. Those before go on for `overlap_seconds`.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub async fn rotate_robot(
        &self,
        name: &RobotName,
        overlap_seconds: u32,
        days: Option<u32>,
        by: &Author,
    ) -> Result<Rotated, Error> {
        let now = self.now();
        let renewed = days.map(|days| self.0.rules.robots.expiry(Some(days), now)).transpose()?;
        let before_ends_at = after(now, overlap_seconds.min(MAX_OVERLAP_SECONDS).into());
        let secret = RandomSecret::generate(SecretKind::Robot)?;
        let (hash, name, by) = (secret.hash(), name.to_string(), by.clone());
        let expires_at = self.change(async move |tx| {
            let found = robot::find(tx, &name).await?.ok_or_else(|| unknown(&name))?;
            robot_secret::forget(tx, found.id, after(now, -REMEMBERED_SECONDS)).await?;
            let made = robot_secret::insert(tx, found.id, &hash, None, now).await?;
            robot_secret::end_others(tx, found.id, made, before_ends_at).await?;
            if let Some(expires_at) = renewed {
                robot::set_expiry(tx, found.id, expires_at).await?;
            }
            log(tx, &name, "secret rotated", &by, now).await;
            Ok(renewed.unwrap_or(found.expires_at))
        });
        Ok(Rotated { expires_at: expires_at.await?, secret, before_ends_at })
    }

    /// Disables a robot, which ends its tokens, or enables it again.
    pub async fn disable_robot(&self, name: &RobotName, disabled: bool, by: &Author) -> Result<(), Error> {
        let change = if disabled { "disabled" } else { "enabled" };
        self.on_robot(name, change, by, async move |tx, robot, now| {
            robot::set_disabled(tx, robot.id, disabled, now).await
        })
        .await
    }

    /// Deletes a robot, its secrets and the roles that its name has.
    pub async fn delete_robot(&self, name: &RobotName, by: &Author) -> Result<(), Error> {
        self.on_robot(name, "deleted", by, async |tx, robot, _| robot::delete(tx, robot.id).await).await
    }

    async fn on_robot(
        &self,
        name: &RobotName,
        change: &'static str,
        by: &Author,
        unit: impl AsyncFn(&mut Tx, &Robot, Timestamp) -> berth_catalog::Result<()> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let (name, by, now) = (name.to_string(), by.clone(), self.now());
        self.change(async move |tx| {
            let found = robot::find(tx, &name).await?.ok_or_else(|| unknown(&name))?;
            unit(tx, &found, now).await?;
            log(tx, &name, change, &by, now).await;
            Ok(())
        })
        .await
    }
}

pub(super) fn unknown(name: &str) -> Error {
    Error::Unknown { what: "robot", name: name.to_owned() }
}

/// What a robot is for, without what could break a line of a report.
fn clean(description: &str) -> String {
    let mut clean: String =
        description.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    while clean.len() > MAX_DESCRIPTION_BYTES {
        clean.pop();
    }
    clean
}

pub(super) async fn log(tx: &mut Tx, name: &str, change: &str, by: &Author, now: Timestamp) {
    let detail = json!({ "change": change, "robot": name });
    event::append(tx, event_of(Kind::RobotChanged, by, detail, now)).await;
}
