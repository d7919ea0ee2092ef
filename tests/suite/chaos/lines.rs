//! Lines between servers and their database and bucket are cut, slow, narrow or silent.

use std::time::Duration;

use anyhow::Result;

use super::stage::play;
use crate::harness::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_cut_and_slow() -> Result<()> {
    let setup = Cluster::setup().with_lines().start();
    play("lines cut, slow, narrow, silent", setup, Duration::from_secs(5), async |stage| {
        while !stage.is_over() {
            let (node, to_database, harm) =
                (stage.any_node(), stage.random.chance(50), stage.random.between(0, 5));
            stage.fault();
            let lines = &stage.cluster.lines()[node];
            let line = if to_database { &lines.database } else { &lines.bucket };
            match harm {
                0 => line.cut(),
                1 => line.drop_connections(),
                2 => line.delay(Duration::from_millis(40)),
                3 => line.throttle(500_000),
                _ => line.freeze(),
            }
            stage.pause(300, 1500).await;
            stage.cluster.lines()[node].mend();
            stage.pause(200, 1000).await;
        }
        Ok(())
    })
    .await
}
