//! The database's primary is killed, and its standby promoted.

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
        stage.fault();
        stage.cluster.pair()?.kill_primary();
        tokio::time::sleep(NOTICED_AFTER).await;
        stage.cluster.pair()?.promote();
        while !stage.is_over() {
            stage.pause(100, 200).await;
        }
        Ok(())
    })
    .await
}
