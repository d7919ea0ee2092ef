//! The races, on three servers: whoever collects is not whoever is pushed to.

use anyhow::Result;

use crate::harness::Cluster;
use crate::races::race;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collection_never_takes_what_was_acknowledged() -> Result<()> {
    let cluster = Cluster::start().await?;
    race(&cluster.api()?, cluster.node(0)).await
}
