//! The database's primary is killed, and its standby promoted; then the old one follows the new one, and it goes on.

use std::time::Duration;

use anyhow::Result;

use super::stage::play;
use crate::harness::Cluster;

/// Time in which whoever watches over a database would notice.
const NOTICED_AFTER: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_is_killed() -> Result<()> {
    let setup = Cluster::setup().with_standby().start();
    play("primary killed, standby promoted", setup, Duration::from_secs(15), async |stage| {
        while !stage.is_over() {
            stage.fault();
            stage.cluster.pair()?.kill_primary();
            tokio::time::sleep(NOTICED_AFTER).await;
            stage.cluster.pair()?.promote();
            stage.pause(2500, 3500).await;
            stage.cluster.pair()?.rejoin();
            stage.pause(1000, 3000).await;
        }
        Ok(())
    })
    .await
}
