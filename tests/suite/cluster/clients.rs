//! Real clients through the balancer, which sends each of their requests to the next server.

use anyhow::Result;

use crate::clients::{crane, oras, podman, skopeo};
use crate::harness::{Cluster, Home, Images};

#[tokio::test]
async fn skopeo_copies() -> Result<()> {
    let (cluster, home) = (Cluster::start().await?, Home::new()?);
    let images = Images::build(home.path())?;
    skopeo::round_trip(&home, &images, &cluster, "--src-tls-verify=false", "--dest-tls-verify=false").await
}

#[tokio::test]
async fn crane_pushes_copies_and_deletes() -> Result<()> {
    let (cluster, home) = (Cluster::start().await?, Home::new()?);
    let images = Images::build(home.path())?;
    crane::round_trip(&home, &images, &cluster).await
}

#[tokio::test]
async fn oras_attaches() -> Result<()> {
    let (cluster, home) = (Cluster::start().await?, Home::new()?);
    oras::artifacts(&home, &cluster, &["--plain-http"], &["--from-plain-http", "--to-plain-http"]).await
}

#[tokio::test]
async fn podman_pulls_runs_and_pushes() -> Result<()> {
    let (cluster, mut home) = (Cluster::start().await?, Home::new()?);
    podman::configure(&mut home)?;
    let images = Images::build(home.path())?;
    podman::round_trip(&home, &images, &cluster, "--tls-verify=false").await
}
