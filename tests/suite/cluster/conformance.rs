//! The specification holds although each request may meet another server.

use anyhow::Result;

use crate::conformance::{SPARSE_IMAGES, keeps_the_specification};
use crate::harness::Cluster;

#[tokio::test]
async fn the_specification_is_kept_whole() -> Result<()> {
    let cluster = Cluster::setup().with_config(SPARSE_IMAGES).start().await?;
    keeps_the_specification(cluster.host()).await
}
