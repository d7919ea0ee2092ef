//! The secrets of a robot, one by one.

use std::sync::Arc;

use berth_catalog::access_generation;
use berth_catalog::robot_secret::{RobotSecret, RobotSecretId};
use jiff::Timestamp;

use super::super::{ManageError, Management, Result};
use crate::account::{Rotated, Rotation, rotate_robot};
use crate::caller::{Caller, Identity};
use crate::snapshot::Reach;

/// How often a rotation is tried while others change who may do what.
const ATTEMPTS: usize = 5;

impl Management {
    /// Gives a robot another secret, which its caller then knows: so the robot may do no more than the caller, by its own policies and
    /// by what is bound to its name, wherever that is.
    pub async fn rotate_robot(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        overlap_seconds: u32,
        days: Option<u32>,
    ) -> Result<Rotated> {
        let (_, whole) = self.own_robot(caller, project, name).await?;
        let (rotation, secret) = self.accounts.rotation(overlap_seconds, days, caller.name())?;
        let (before_ends_at, rotation) = (rotation.before_ends_at, Arc::new(rotation));
        let mut again = 1..ATTEMPTS;
        loop {
            match self.rotate_as_decided(caller, whole.as_str(), &rotation).await {
                Err(ManageError::Moved) if again.next().is_some() => {}
                other => return Ok(Rotated { expires_at: other?, secret, before_ends_at }),
            }
        }
    }

    /// Compares, and rotates unless who may do what moved since: else a role could be bound to the robot in between.
    async fn rotate_as_decided(
        &self,
        caller: &Caller,
        name: &str,
        rotation: &Arc<Rotation>,
    ) -> Result<Option<Timestamp>> {
        let generation = self.access.refreshed().await?;
        if !self.access.is_no_less(caller, Identity::Robot(name.into()), Reach::Everywhere).await? {
            return Err(ManageError::Mightier { name: name.to_owned() });
        }
        let (name, rotation, by) = (name.to_owned(), Arc::clone(rotation), caller.author());
        self.change(async move |tx| {
            if generation != Some(access_generation::find(tx).await?) {
                return Err(ManageError::Moved);
            }
            Ok(rotate_robot(tx, &name, &rotation, &by).await?)
        })
        .await
    }

    /// Lists a robot's secrets, the newest first: when each was made and when it ends, never what it is.
    pub async fn robot_secrets(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
    ) -> Result<Vec<RobotSecret>> {
        let robot = self.robot(caller, project, name).await?;
        Ok(self.accounts.robot_secrets(robot.id).await?)
    }

    /// Ends one of a robot's secrets before its time, such as one that leaked during its overlap.
    pub async fn end_robot_secret(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        id: RobotSecretId,
    ) -> Result<()> {
        let (_, whole) = self.own_robot(caller, project, name).await?;
        self.accounts.end_robot_secret(&whole, id, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }
}
