//! Secrets of robots, one by one.

use berth_catalog::event::Author;
use berth_catalog::robot;
use berth_catalog::robot_secret::{self, RobotSecretId};

use super::robot::{SECRETS, tell_robot, unknown};
use super::{Accounts, Error, RobotName};

impl Accounts {
    /// Ends one of a robot's secrets before its time, and with it the tokens that were had for it.
    ///
    /// # Errors
    /// [`Error::Unknown`], also for another robot's.
    pub async fn end_robot_secret(
        &self,
        name: &RobotName,
        id: RobotSecretId,
        by: &Author,
    ) -> Result<(), Error> {
        let (name, by, now) = (name.to_string(), by.clone(), self.now());
        self.change(async move |tx| {
            let found = robot::find(tx, &name).await?.ok_or_else(|| unknown(&name))?;
            if robot_secret::end(tx, found.id, id, now).await? {
                tell_robot(tx, &name, "secret ended", &by, now).await;
            } else if !robot_secret::list(tx, found.id, SECRETS).await?.iter().any(|known| known.id == id) {
                return Err(Error::Unknown { what: "secret", name: id.0.to_string() });
            }
            Ok(())
        })
        .await
    }
}
