//! The crash suite, on three servers: now one of them is killed, now all.

use anyhow::Result;

use crate::crash::survive;
use crate::harness::{Cluster, number_from_environment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_survive_kill_9() -> Result<()> {
    // A round of three servers takes longer than one of one.
    let rounds = number_from_environment("BERTH_CRASH_ROUNDS", 20)?.div_ceil(2);
    survive(&mut Cluster::start().await?, rounds).await
}
