//! The object store goes away and comes back.

use std::time::Duration;

use anyhow::Result;

use super::stage::play;
use crate::harness::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_object_store_goes_and_comes_back() -> Result<()> {
    let setup = Cluster::setup().with_own_gateway().start();
    play("object store stopped and started", setup, Duration::from_secs(10), async |stage| {
        while !stage.is_over() {
            stage.cluster.gateway()?.stop();
            stage.pause(500, 2000).await;
            stage.cluster.gateway()?.start();
            stage.fault();
            stage.pause(3000, 5000).await;
        }
        Ok(())
    })
    .await
}
