//! Credentials taken over from Harbor: its hashes verify as they are, and are written our way at their first use.

use berth_catalog::account::{self, New, Source};
use berth_catalog::event::Author;
use berth_catalog::{Hidden, robot, robot_secret};
use serde::Deserialize;

use super::admin::tell_account;
use super::hash::{Harbor, Version};
use super::name::user_name_problem;
use super::robot::tell_policies;
use super::robot_policy::{Grantor, check};
use super::{Accounts, Error, RobotName};
use crate::policy::PolicyConfig;

/// One line of a file of Harbor's credentials.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarborEntry {
    /// The user's or the robot's name, the latter with `robot$` or `robot+`.
    pub name: String,
    /// The hash, in hex.
    #[serde(alias = "secret", alias = "hash")]
    pub password: String,
    /// Its salt.
    pub salt: String,
    /// How it was made: `sha1`, `sha256` or `pbkdf2_sha256`; robots have `sha256`.
    #[serde(default = "sha256", alias = "version")]
    pub password_version: String,
    /// The person's name.
    #[serde(default, alias = "realname")]
    pub display_name: Option<String>,
    /// The person's address.
    #[serde(default)]
    pub email: Option<String>,
    /// What a robot is for.
    #[serde(default)]
    pub description: String,
    /// What a robot may do; else it may pull from and push to its project.
    #[serde(default)]
    pub policies: Option<Vec<PolicyConfig>>,
    /// Who answers for a robot.
    #[serde(default)]
    pub owner: Option<String>,
    /// Days that a robot lives.
    #[serde(default)]
    pub days: Option<u32>,
}

fn sha256() -> String {
    Version::Sha256.as_str().to_owned()
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// A user came.
    User,
    /// A robot came.
    Robot,
    /// The name is taken, by who came before or by somebody else: nothing changed.
    Known,
}

impl Accounts {
    /// Takes in a user or a robot of Harbor's.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a hash that none is, and those of a user or a robot that is made here.
    pub async fn import_harbor(
        &self,
        entry: HarborEntry,
        grantor: &dyn Grantor,
        by: &Author,
    ) -> Result<Imported, Error> {
        let version = entry.password_version.parse::<Version>();
        let harbor = version.ok().and_then(|version| Harbor::new(version, &entry.salt, &entry.password));
        let kept = harbor.ok_or_else(|| Error::Foreign(entry.name.clone()))?.to_text();
        if super::name::is_robot(&entry.name) {
            // Another way of hashing would cost another time, and none was used.
            if entry.password_version != sha256() {
                return Err(Error::Foreign(entry.name));
            }
            return self.import_robot(entry, kept, grantor, by).await;
        }
        if let Some(problem) = user_name_problem(&entry.name) {
            return Err(Error::Name { name: entry.name, problem });
        }
        if self.is_configured(&entry.name) {
            return Ok(Imported::Known);
        }
        let row = New {
            name: entry.name,
            source: Source::Local,
            external: None,
            display_name: entry.display_name.filter(|name| !name.is_empty()),
            email: entry.email.filter(|email| !email.is_empty()),
            password: Some(Hidden::new(kept)),
            must_change: false,
            groups: Vec::new(),
        };
        let (by, now) = (by.clone(), self.now());
        self.change(async move |tx| {
            let Some(id) = account::insert(tx, &row, now).await? else { return Ok(Imported::Known) };
            tell_account(tx, (id, &row.name), "imported", &by, now).await?;
            Ok(Imported::User)
        })
        .await
    }

    async fn import_robot(
        &self,
        entry: HarborEntry,
        kept: String,
        grantor: &dyn Grantor,
        by: &Author,
    ) -> Result<Imported, Error> {
        let (name, now) = (RobotName::parse(&entry.name)?, self.now());
        let policies = match (&entry.policies, name.project()) {
            (Some(policies), _) => policies.clone(),
            (None, Some(project)) => vec![PolicyConfig::of_project(project)],
            (None, None) => {
                return Err(Error::Policies(format!("{name} is a robot of the system: say what it may do")));
            }
        };
        let row = robot::New {
            project: name.project().unwrap_or_default().to_owned(),
            policies: check(&policies, name.project(), grantor)?,
            name: name.to_string(),
            description: entry.description.clone(),
            owner: entry.owner.unwrap_or_else(|| by.name.clone()),
            expires_at: self.0.rules.robots.expiry(entry.days.or(self.0.rules.robots.most()), now)?,
        };
        let by = by.clone();
        self.change(async move |tx| {
            let Some(id) = robot::insert(tx, &row, now).await? else { return Ok(Imported::Known) };
            robot_secret::insert(tx, id, &kept, None, now).await?;
            tell_policies(tx, &row.name, "imported", (&row.policies, None), &by, now).await;
            Ok(Imported::Robot)
        })
        .await
    }
}
