mod secret;

use berth_catalog::project;
use berth_catalog::robot::{Robot, RobotId};
use berth_catalog::robot_secret::RobotSecret;

use super::{ManageError, Management, Result};
use crate::access::Access;
use crate::account::{Error as AccountError, Grantor, NewRobot, RandomSecret, RobotName, Rotated};
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::policy::{Effect, PolicyConfig};
use crate::resource::Resource;

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
        self.see_robots(caller, project).await?;
        Ok(self.accounts.robots_of(project, after, limit).await?)
    }

    /// Finds a robot by the last part of its name, in its project or among the system's.
    pub async fn robot(&self, caller: &Caller, project: Option<&str>, name: &str) -> Result<Robot> {
        self.see_robots(caller, project).await?;
        let name = RobotName::new(project, name).map_err(|_| ManageError::Hidden)?;
        match self.accounts.robot_named(&name).await {
            Err(AccountError::Unknown { .. }) => Err(ManageError::Hidden),
            other => Ok(other?),
        }
    }

    /// Lists the secrets of a robot that a caller may see, the newest first: how many are good, and until when.
    pub async fn robot_secrets(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
    ) -> Result<Vec<RobotSecret>> {
        let robot = self.robot(caller, project, name).await?;
        Ok(self.accounts.robot_secrets(robot.id).await?)
    }

    /// Makes a robot that may do no more than its maker; the secret is shown this once.
    pub async fn create_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        wanted: RobotWanted,
    ) -> Result<(Robot, RandomSecret)> {
        Self::in_person(caller)?;
        self.see_robots(caller, project).await?;
        self.access.may_grant(caller, project, None)?;
        let new = NewRobot {
            name: RobotName::new(project, &wanted.name).map_err(AccountError::from)?,
            description: wanted.description,
            policies: wanted.policies,
            owner: caller.name().to_owned(),
            days: wanted.days,
        };
        let giver = Giver { access: &self.access, caller };
        let made = self.accounts.create_robot(new, &giver, &caller.author()).await?;
        self.heed().await;
        // Nothing is asked for after the commit: the secret is in this answer or nowhere.
        Ok(made)
    }

    /// Changes a robot.
    pub async fn change_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        change: RobotChange,
    ) -> Result<Robot> {
        let (robot, whole) = self.own_robot(caller, project, name).await?;
        let by = caller.author();
        if change.policies.is_some() || change.description.is_some() {
            let kept = serde_json::from_str(&robot.policies)
                .map_err(|error| ManageError::Invalid(error.to_string()));
            let policies: Vec<PolicyConfig> = change.policies.map_or(kept, Ok)?;
            let description = change.description.unwrap_or(robot.description);
            let giver = Giver { access: &self.access, caller };
            self.accounts.set_robot_policies(&whole, &description, &policies, &giver, &by).await?;
        }
        if let Some(disabled) = change.disabled {
            self.accounts.disable_robot(&whole, disabled, &by).await?;
        }
        self.heed().await;
        self.robot(caller, project, name).await
    }

    /// Gives a robot another secret, which its caller then knows: so the robot may do no more than the caller.
    pub async fn rotate_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        overlap_seconds: u32,
        days: Option<u32>,
    ) -> Result<Rotated> {
        let (robot, whole) = self.own_robot(caller, project, name).await?;
        let policies: Vec<PolicyConfig> =
            serde_json::from_str(&robot.policies).map_err(|error| ManageError::Invalid(error.to_string()))?;
        let giver = Giver { access: &self.access, caller };
        for policy in policies.iter().filter(|policy| policy.effect == Effect::Allow) {
            giver.may_grant(policy).map_err(AccountError::Beyond)?;
        }
        // And what was bound to its name.
        let it = Caller::new(Identity::Robot(whole.as_str().into()), Proof::None);
        let mightier = part::ALL.into_iter().map(Resource::System).any(|part| {
            let theirs = self.access.granted(&it, &part);
            theirs.and(self.access.granted(caller, &part)) != theirs
        });
        if mightier {
            return Err(ManageError::Mightier { name: robot.name });
        }
        let rotated = self.accounts.rotate_robot(&whole, overlap_seconds, days, &caller.author()).await?;
        self.heed().await;
        Ok(rotated)
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

    async fn see_robots(&self, caller: &Caller, project: Option<&str>) -> Result<()> {
        let Some(name) = project else {
            self.access.require(caller, Action::Read, Resource::System(part::ACCESS))?;
            return Ok(());
        };
        self.see_project(caller, name)?;
        self.access.require(caller, Action::Read, Resource::Project(name))?;
        let found = self.catalog.read(async |r| project::find(r, name).await).await?;
        found.map(drop).ok_or(ManageError::Hidden)
    }
}
