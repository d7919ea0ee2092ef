//! Servers are killed and started again every few seconds.

use std::time::Duration;

use anyhow::Result;

use super::stage::play;
use crate::harness::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_killed() -> Result<()> {
    play("servers killed", Cluster::start(), Duration::from_secs(5), async |stage| {
        while !stage.is_over() {
            let victim = stage.any_node();
            stage.fault();
            stage.cluster.node_mut(victim).kill()?;
            stage.pause(300, 1500).await;
            stage.cluster.node_mut(victim).start().await?;
            stage.pause(500, 2000).await;
        }
        Ok(())
    })
    .await
}
