//! Accounts of pipelines.

use berth_catalog::event::{self, Author, Kind};
use berth_catalog::robot::{self, Robot, RobotId};
use berth_catalog::robot_secret::{self, RobotSecret};
use berth_catalog::{Tx, binding};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::admin::event_of;
use super::robot_policy::{Grantor, check};
use super::rules::after;
use super::secret::{RandomSecret, SecretKind};
use super::{Accounts, Error, RobotName};
use crate::admin::take_away;
use crate::policy::PolicyConfig;

/// Ended secrets are remembered for so long, so that whoever still has one hears why.
const REMEMBERED_SECONDS: i64 = 180 * 86_400;
/// Longer than this no two secrets are good at once.
const MAX_OVERLAP_SECONDS: u32 = 30 * 86_400;
/// Robots read at a time.
const PAGE: usize = 500;
/// Secrets shown of one robot.
pub(super) const SECRETS: usize = 20;
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
        let (row, secret) = self.robot_to_make(new, grantor)?;
        let (hash, by, now) = (secret.hash(), by.clone(), self.now());
        let made = self.change(async move |tx| insert_robot(tx, &row, &hash, &by, now).await);
        Ok((made.await?, secret))
    }

    /// Checks a robot that is to be made, and makes up its secret.
    pub(crate) fn robot_to_make(
        &self,
        new: NewRobot,
        grantor: &dyn Grantor,
    ) -> Result<(robot::New, RandomSecret), Error> {
        let row = robot::New {
            project: new.name.project().unwrap_or_default().to_owned(),
            policies: check(&new.policies, new.name.project(), grantor)?,
            name: new.name.to_string(),
            description: clean(&new.description),
            owner: new.owner,
            expires_at: self.0.rules.robots.expiry(new.days, self.now())?,
        };
        Ok((row, RandomSecret::generate(SecretKind::Robot)?))
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
        let (rotation, secret) = self.rotation(overlap_seconds, days, &by.name)?;
        let (name, by, before_ends_at) = (name.to_string(), by.clone(), rotation.before_ends_at);
        let unit = async move |tx: &mut Tx| rotate_robot(tx, &name, &rotation, &by).await;
        Ok(Rotated { expires_at: self.change(unit).await?, secret, before_ends_at })
    }

    /// Makes another secret for a robot, to be kept by [`rotate_robot`].
    pub(crate) fn rotation(
        &self,
        overlap_seconds: u32,
        days: Option<u32>,
        knower: &str,
    ) -> Result<(Rotation, RandomSecret), Error> {
        let (now, secret) = (self.now(), RandomSecret::generate(SecretKind::Robot)?);
        let rotation = Rotation {
            hash: secret.hash(),
            knower: knower.to_owned(),
            before_ends_at: after(now, overlap_seconds.min(MAX_OVERLAP_SECONDS).into()),
            renewal: days.map(|days| self.0.rules.robots.expiry(Some(days), now).map(Renewal)).transpose()?,
            at: now,
        };
        Ok((rotation, secret))
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
        let (name, by, now) = (name.to_string(), by.clone(), self.now());
        self.change(async move |tx| {
            let found = robot::find(tx, &name).await?.ok_or_else(|| unknown(&name))?;
            Ok(delete_robot(tx, &found, &by, now).await?)
        })
        .await
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
            tell_robot(tx, &name, change, &by, now).await;
            Ok(())
        })
        .await
    }
}

/// Another secret of a robot.
#[derive(Debug)]
pub(crate) struct Rotation {
    hash: String,
    /// Who is shown it.
    knower: String,
    pub(crate) before_ends_at: Timestamp,
    renewal: Option<Renewal>,
    at: Timestamp,
}

/// When a robot ends from now on; for some never.
#[derive(Debug, Clone, Copy)]
struct Renewal(Option<Timestamp>);

/// Gives a robot another secret in a unit of work, and says when the robot ends.
pub(crate) async fn rotate_robot(
    tx: &mut Tx,
    name: &str,
    rotation: &Rotation,
    by: &Author,
) -> Result<Option<Timestamp>, Error> {
    let Rotation { hash, knower, before_ends_at, renewal, at: now } = rotation;
    let found = robot::find(tx, name).await?.ok_or_else(|| unknown(name))?;
    robot_secret::forget(tx, found.id, after(*now, -REMEMBERED_SECONDS)).await?;
    let made = robot_secret::insert(tx, found.id, hash, None, *now).await?;
    robot_secret::end_others(tx, found.id, made, *before_ends_at).await?;
    // Who knows one that goes on is not forgotten.
    let others = found.known_to.into_iter().filter(|known| before_ends_at > now && known != knower);
    let known_to: Vec<_> = others.chain([knower.clone()]).collect();
    robot::set_known_to(tx, found.id, &known_to).await?;
    if let Some(Renewal(expires_at)) = renewal {
        robot::set_expiry(tx, found.id, *expires_at).await?;
    }
    tell_robot(tx, name, "secret rotated", by, *now).await;
    Ok(renewal.map_or(found.expires_at, |Renewal(expires_at)| expires_at))
}

pub(super) fn unknown(name: &str) -> Error {
    Error::Unknown { what: "robot", name: name.to_owned() }
}

/// Makes a robot in a unit of work.
pub(crate) async fn insert_robot(
    tx: &mut Tx,
    row: &robot::New,
    hash: &str,
    by: &Author,
    now: Timestamp,
) -> Result<Robot, Error> {
    let id = robot::insert(tx, row, now).await?.ok_or_else(|| Error::Taken(row.name.clone()))?;
    robot_secret::insert(tx, id, hash, None, now).await?;
    tell_policies(tx, &row.name, "created", (&row.policies, None), by, now).await;
    robot::find_by_id(tx, id).await?.ok_or_else(|| unknown(&row.name))
}

/// Deletes a robot in a unit of work, and the roles that its name has.
pub(crate) async fn delete_robot(
    tx: &mut Tx,
    robot: &Robot,
    by: &Author,
    now: Timestamp,
) -> berth_catalog::Result<()> {
    take_away(tx, binding::Kind::Robot, &robot.name, by, now).await?;
    robot::delete(tx, robot.id).await?;
    tell_robot(tx, &robot.name, "deleted", by, now).await;
    Ok(())
}

/// What a robot is for, without what could break a line of a report.
pub(crate) fn clean(description: &str) -> String {
    let mut clean: String =
        description.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    while clean.len() > MAX_DESCRIPTION_BYTES {
        clean.pop();
    }
    clean
}

pub(crate) async fn tell_robot(tx: &mut Tx, name: &str, change: &str, by: &Author, now: Timestamp) {
    tell_more(tx, name, change, Map::new(), by, now).await;
}

/// Tells of what a robot may do from now on, and did before.
pub(crate) async fn tell_policies(
    tx: &mut Tx,
    name: &str,
    change: &str,
    (policies, before): (&str, Option<&str>),
    by: &Author,
    now: Timestamp,
) {
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut more = Map::from_iter([("policies".to_owned(), read(policies))]);
    more.extend(before.map(|before| ("previous".to_owned(), read(before))));
    tell_more(tx, name, change, more, by, now).await;
}

async fn tell_more(
    tx: &mut Tx,
    name: &str,
    change: &str,
    more: Map<String, Value>,
    by: &Author,
    now: Timestamp,
) {
    let mut detail = json!({ "change": change, "robot": name });
    if let Some(fields) = detail.as_object_mut() {
        fields.extend(more);
    }
    event::append(tx, event_of(Kind::RobotChanged, by, detail, now)).await;
}
