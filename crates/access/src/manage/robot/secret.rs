use berth_catalog::robot_secret::RobotSecretId;

use super::super::{ManageError, Management, Result};
use crate::account::Error as AccountError;
use crate::caller::Caller;

impl Management {
    /// Ends one of a robot's secrets before its time, such as one that leaked during its overlap.
    pub async fn end_robot_secret(
        &self,
        caller: &Caller,
        project: Option<&str>,
        name: &str,
        id: RobotSecretId,
    ) -> Result<()> {
        let (_, whole) = self.own_robot(caller, project, name).await?;
        match self.accounts.end_robot_secret(&whole, id, &caller.author()).await {
            Err(AccountError::Unknown { .. }) => return Err(ManageError::Hidden),
            other => other?,
        }
        self.heed().await;
        Ok(())
    }
}
