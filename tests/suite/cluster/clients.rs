//! Real clients through the balancer, which sends each of their requests to the next server.

use anyhow::Result;

use crate::clients::{buildah, containerd, crane, docker, helm, oras, podman, regctl, skopeo};
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

#[tokio::test]
async fn buildah_builds_on_what_it_pulled() -> Result<()> {
    let (cluster, mut home) = (Cluster::start().await?, Home::new()?);
    podman::configure(&mut home)?;
    buildah::build_and_push(&home, &cluster, "--tls-verify=false").await
}

#[tokio::test]
async fn docker_builds_pushes_pulls_and_runs() -> Result<()> {
    let (cluster, mut home) = (Cluster::start().await?, Home::new()?);
    let engine = docker::start(&mut home).await?;
    docker::round_trip(&home, &cluster).await?;
    engine.stop(&home).await
}

#[tokio::test]
async fn containerd_pulls_runs_and_pushes() -> Result<()> {
    let (cluster, home) = (Cluster::start().await?, Home::new()?);
    let images = Images::build(home.path())?;
    let engine = containerd::start(&home).await?;
    containerd::round_trips(&home, &images, &cluster, "--dest-tls-verify=false", &["--plain-http"]).await?;
    engine.stop(&home).await
}

/// Both are quick, and share a cluster.
#[tokio::test]
async fn regctl_copies_and_helm_moves_charts() -> Result<()> {
    let (cluster, home) = (Cluster::start().await?, Home::new()?);
    let images = Images::build(home.path())?;
    regctl::speak_plainly(&home, &cluster).await?;
    regctl::round_trip(&home, &images, &cluster).await?;
    helm::charts(&home, &cluster, &["--plain-http"]).await
}
