//! Reads which secrets ended, or will, for as long as tokens that rest on them may be out.

use berth_catalog::app_password::{self, AppPasswordId};
use berth_catalog::page::all;
use berth_catalog::robot_secret::{self, RobotSecretId};
use berth_catalog::{Error, Reader};
use jiff::{SignedDuration, Timestamp};

use super::load::PAGE;
use crate::evidence::SecretId;

/// Of a secret that ended longer ago no token is out: none lives for more than an hour.
const OUT: SignedDuration = SignedDuration::from_hours(2);

/// Reads which secrets ended, or will, of which tokens may be out.
pub(super) async fn ended(r: &Reader, at: Timestamp) -> Result<Vec<(SecretId, Timestamp)>, Error> {
    let since = at.checked_sub(OUT).unwrap_or(Timestamp::MIN);
    let revoked = all(PAGE, async |last: Option<&(AppPasswordId, Timestamp)>| {
        app_password::list_revoked(r, since, last.map_or(AppPasswordId(0), |(id, _)| *id), PAGE).await
    });
    let revoked = revoked.await?.into_iter().map(|(id, at)| (SecretId::Application(id), at));
    let ending = all(PAGE, async |last: Option<&(RobotSecretId, Timestamp)>| {
        robot_secret::list_ending(r, since, last.map_or(RobotSecretId(0), |(id, _)| *id), PAGE).await
    });
    let ending = ending.await?.into_iter().map(|(id, at)| (SecretId::Robot(id), at));
    Ok(revoked.chain(ending).collect())
}
