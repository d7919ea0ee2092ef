//! The object store goes away and comes back: now what answers, now all of it, of which only the disk remains. Then it needs
//! longer than most clients wait.

use std::time::Duration;

use anyhow::Result;

use super::stage::play_with_long_outages;
use crate::harness::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_object_store_goes_and_comes_back() -> Result<()> {
    let setup = Cluster::setup().with_durable_store().start();
    play_with_long_outages(
        "object store stopped and crashed",
        setup,
        Duration::from_secs(10),
        async |stage| {
            let mut crash = stage.random.chance(50);
            while !stage.is_over() {
                if crash {
                    stage.cluster.gateway()?.crash();
                    stage.pause(100, 500).await;
                } else {
                    stage.cluster.gateway()?.stop();
                    stage.pause(500, 2000).await;
                }
                crash = !crash;
                stage.cluster.gateway()?.start();
                stage.fault();
                stage.pause(3000, 5000).await;
            }
            Ok(())
        },
    )
    .await
}
