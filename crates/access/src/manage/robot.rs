//! Robots, of a project or of the system.

mod secret;

use berth_catalog::binding::Kind;
use berth_catalog::project;
use berth_catalog::robot::{self, Robot, RobotId};

use super::{ManageError, Management, Result, awaited, shared};
use crate::access::Access;
use crate::account::{
    Error as AccountError, Grantor, NewRobot, RandomSecret, RobotName, check, clean, insert_robot,
    tell_policies, tell_robot,
};
use crate::caller::Caller;
use crate::policy::PolicyConfig;

/// A robot to make, where its path says.
#[derive(Debug, Clone)]
pub struct RobotWanted {
    /// The last part of its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it may do.
    pub policies: Vec<PolicyConfig>,
    /// Days that it lives; `None` for ever, if the rules allow that.
    pub days: Option<u32>,
}

/// What may change about a robot.
#[derive(Debug, Clone, Default)]
pub struct RobotChange {
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub policies: Option<Vec<PolicyConfig>>,
    /// Whether it can't be used.
    pub disabled: Option<bool>,
}

/// Gives no more than a caller has.
struct Giver<'a> {
    access: &'a Access,
    caller: &'a Caller,
}

impl Grantor for Giver<'_> {
    fn may_grant(&self, policy: &PolicyConfig) -> Result<(), String> {
        self.access.may_pass_on(self.caller, &policy.resources, policy.actions.iter().copied().collect())
    }
}

impl Management {
    /// Lists the robots of a project, or of the system, behind the one of this id.
    pub async fn robots(
        &self,
        caller: &Caller,
        project: Option<&str>,
        after: RobotId,
        limit: usize,
    ) -> Result<Vec<Robot>> {
        self.read_who(caller, project).await?;
        Ok(self.accounts.robots_of(project, after, limit).await?)
    }

    /// Finds a robot by the last part of its name, in its project or among the system's.
    pub async fn robot(&self, caller: &Caller, project: Option<&str>, name: &str) -> Result<Robot> {
        self.read_who(caller, project).await?;
        let name = RobotName::new(project, name).map_err(|_| ManageError::Hidden)?;
        Ok(self.accounts.robot_named(&name).await?)
    }

    /// Makes a robot that may do no more than its maker; the secret is shown this once.
    pub async fn create_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        wanted: RobotWanted,
    ) -> Result<(Robot, RandomSecret)> {
        Self::in_person(caller)?;
        self.read_who(caller, project).await?;
        self.access.may_grant(caller, project, None)?;
        let new = NewRobot {
            name: RobotName::new(project, &wanted.name).map_err(AccountError::from)?,
            description: wanted.description,
            policies: wanted.policies,
            owner: caller.name().to_owned(),
            days: wanted.days,
        };
        let giver = Giver { access: &self.access, caller };
        let (row, secret) = self.accounts.robot_to_make(new, &giver)?;
        let (access, caller, hash, now) =
            (self.access.clone(), caller.clone(), secret.hash(), self.access.now());
        let made = self.change(async move |tx| {
            if !row.project.is_empty() && project::find(tx, &row.project).await?.is_none() {
                return Err(ManageError::Hidden);
            }
            awaited::refuse(tx, &access, &caller, Kind::Robot, &row.name).await?;
            access.rules().limits.on_robots(tx, &row.project).await?;
            let id = insert_robot(tx, &row, &hash, &caller.author(), now).await?.id;
            let knowers = shared::knowers(tx, &caller).await?;
            robot::set_known_to(tx, id, &knowers).await?;
            robot::find_by_id(tx, id).await?.ok_or(ManageError::Hidden)
        });
        Ok((made.await?, secret))
    }

    /// Changes a robot.
    pub async fn change_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        change: RobotChange,
    ) -> Result<Robot> {
        let (_, whole) = self.own_robot(caller, project, name).await?;
        let policies = match &change.policies {
            Some(policies) => {
                let giver = Giver { access: &self.access, caller };
                Some(check(policies, whole.project(), &giver)?)
            }
            None if change.description.is_none() && change.disabled.is_none() => {
                let text = "nothing to change: give description, policies or disabled";
                return Err(ManageError::Invalid(text.to_owned()));
            }
            None => None,
        };
        let (by, now, whole) = (caller.author(), self.access.now(), whole.to_string());
        self.change(async move |tx| {
            let found = robot::find(tx, &whole).await?.ok_or(ManageError::Hidden)?;
            let policies = policies.clone().unwrap_or_else(|| found.policies.clone());
            let description = change.description.as_deref().map_or(found.description.clone(), clean);
            if policies != found.policies || description != found.description {
                robot::set_policies(tx, found.id, &description, &policies).await?;
                if policies == found.policies {
                    tell_robot(tx, &whole, "description changed", &by, now).await;
                } else {
                    let both = (policies.as_str(), Some(found.policies.as_str()));
                    tell_policies(tx, &whole, "policies changed", both, &by, now).await;
                }
            }
            if let Some(disabled) =
                change.disabled.filter(|disabled| *disabled != found.disabled_at.is_some())
            {
                robot::set_disabled(tx, found.id, disabled, now).await?;
                tell_robot(tx, &whole, if disabled { "disabled" } else { "enabled" }, &by, now).await;
            }
            robot::find_by_id(tx, found.id).await?.ok_or(ManageError::Hidden)
        })
        .await
    }

    /// Deletes a robot, its secrets and the roles of its name.
    pub async fn delete_robot(&self, caller: &Caller, project: Option<&str>, name: &str) -> Result<()> {
        let (_, whole) = self.own_robot(caller, project, name).await?;
        self.accounts.delete_robot(&whole, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Finds a robot that a caller may change.
    async fn own_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
    ) -> Result<(Robot, RobotName)> {
        Self::in_person(caller)?;
        let robot = self.robot(caller, project, name).await?;
        self.access.may_grant(caller, project, None)?;
        let whole = RobotName::new(project, name).map_err(AccountError::from)?;
        Ok((robot, whole))
    }
}
