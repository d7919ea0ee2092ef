//! Two servers of the database take themselves for the primary, and each is asked.
//!
//! What is held here is what docs/scaling.md promises for an old primary that nobody fenced: it acknowledges nothing, because its
//! commits wait for a standby that has left it. Who still reads there may read what is old, until it is ended.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::stage::{Stage, play_with_stale_reads};
use crate::harness::Cluster;

/// Time in which whoever watches over a database would notice.
const NOTICED_AFTER: Duration = Duration::from_millis(500);
/// Time for which both write, as they think, before somebody ends the old one.
const BOTH: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_primaries_are_asked() -> Result<()> {
    let setup = Cluster::setup().with_standby().with_lines().start();
    play_with_stale_reads("two primaries at once", setup, Duration::from_secs(15), async |stage| {
        let mut round = stage.random.between(0, 3);
        while !stage.is_over() {
            let harm = async {
                match round % 3 {
                    0 => cut_off(stage).await,
                    1 => frozen(stage).await,
                    _ => restarted(stage).await,
                }
            };
            harm.await.with_context(|| format!("round {round}"))?;
            round += 1;
            stage.pause(500, 1500).await;
        }
        Ok(())
    })
    .await
}

/// Two servers of the registry lose the primary, which another replaces; the third goes on asking the old one for a while.
async fn leave_one(stage: &mut Stage) -> Result<()> {
    let kept = stage.any_node();
    let pair = stage.cluster.pair()?;
    for (number, lines) in stage.cluster.lines().iter().enumerate() {
        if number != kept {
            lines.to(pair.primary()).cut();
        }
    }
    stage.fault();
    promote(stage).await?;
    tokio::time::sleep(BOTH).await;
    Ok(())
}

/// All lines are good again, and whoever comes back finds out which server counts.
async fn cut_off(stage: &mut Stage) -> Result<()> {
    leave_one(stage).await?;
    // The line is good again, and leads to one that should not be asked. Who comes back to it finds out.
    let pair = stage.cluster.pair()?;
    for lines in stage.cluster.lines() {
        lines.mend();
        lines.to(pair.primary()).drop_connections();
    }
    tokio::time::sleep(BOTH / 2).await;
    fence(stage)
}

/// The primary stands still until another is at its place, and wakes up as if nothing had happened.
async fn frozen(stage: &mut Stage) -> Result<()> {
    stage.cluster.pair()?.primary().freeze();
    stage.fault();
    promote(stage).await?;
    tokio::time::sleep(BOTH).await;
    stage.cluster.pair()?.standby().wake();
    tokio::time::sleep(BOTH).await;
    fence(stage)
}

/// As [`cut_off`]; and the old primary starts again, with what it had committed and told nobody.
async fn restarted(stage: &mut Stage) -> Result<()> {
    leave_one(stage).await?;
    let pair = stage.cluster.pair()?;
    pair.standby().kill();
    pair.standby().start();
    for lines in stage.cluster.lines() {
        lines.mend();
    }
    tokio::time::sleep(BOTH).await;
    fence(stage)
}

async fn promote(stage: &Stage) -> Result<()> {
    tokio::time::sleep(NOTICED_AFTER).await;
    stage.cluster.pair()?.promote();
    Ok(())
}

/// Ends the old primary, and makes it the new one's standby.
fn fence(stage: &Stage) -> Result<()> {
    let pair = stage.cluster.pair()?;
    pair.standby().kill();
    pair.rejoin();
    Ok(())
}
