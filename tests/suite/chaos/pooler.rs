//! A pooler in transaction mode before the database: it dies, its connections are ended, the server below it restarts.

use std::time::Duration;

use anyhow::Result;

use super::stage::play;
use crate::harness::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pooler_and_what_is_below_it_fail() -> Result<()> {
    let setup = Cluster::setup().with_pooler().start();
    play("pooler and database restarted below", setup, Duration::from_secs(10), async |stage| {
        let mut round = 0;
        while !stage.is_over() {
            match round % 3 {
                0 => {
                    stage.cluster.pooled()?.pooler.kill();
                    stage.pause(200, 1000).await;
                    stage.cluster.pooled()?.pooler.start();
                    stage.fault();
                }
                1 => {
                    stage.fault();
                    stage.cluster.pooled()?.drop_connections();
                }
                _ => {
                    stage.cluster.pooled()?.server.kill();
                    stage.pause(200, 1000).await;
                    stage.cluster.pooled()?.server.start();
                    stage.fault();
                }
            }
            round += 1;
            stage.pause(1000, 2000).await;
        }
        Ok(())
    })
    .await
}
