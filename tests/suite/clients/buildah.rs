//! buildah: builds from scratch, from a Containerfile and on top of what it pulled.

use anyhow::{Result, ensure};

use super::podman::configure;
use super::{Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Images, Registry};

#[tokio::test]
async fn builds_over_http() -> Result<()> {
    let mut stage = Stage::new().await?;
    configure(&mut stage.home)?;
    build_and_push(&stage.home, &stage.plain, "--tls-verify=false").await
}

#[tokio::test]
async fn builds_over_tls() -> Result<()> {
    let mut stage = Stage::new().await?;
    configure(&mut stage.home)?;
    let reference = format!("{}/buildah/scratch:1", stage.secure.host());
    stage.home.fails("buildah", &["pull", "-q", &reference], UNTRUSTED).await?;
    build_and_push(&stage.home, &stage.secure, &format!("--cert-dir={}", stage.authority.ca_dir())).await
}

pub(crate) async fn build_and_push(home: &Home, server: &dyn Registry, trust: &str) -> Result<()> {
    let base = format!("{}/buildah/scratch:1", server.host());
    let container = home.run("buildah", &["from", "scratch"]).await?;
    let container = container.trim();
    home.run("buildah", &["copy", "-q", container, "/bin/busybox", "/bin/"]).await?;
    home.run("buildah", &["config", "--cmd", "/bin/busybox id", container]).await?;
    home.run("buildah", &["commit", "-q", "--rm", container, &base]).await?;
    push(home, server, trust, "scratch", &base).await?;

    // On top of what the registry serves, not of the local copy.
    home.run("buildah", &["rmi", "-f", &base]).await?;
    let greeting = Images::GREETING;
    home.write("context/greeting", greeting)?;
    let file = format!(
        "FROM {base}\nCOPY greeting /srv/greeting\nRUN [\"/bin/busybox\", \"cat\", \"/srv/greeting\"]\n"
    );
    home.write("context/Containerfile", &file)?;
    let child = format!("{}/buildah/child:1", server.host());
    let context = home.file("context");
    let build = ["build", trust, "--isolation", "chroot", "--layers", "-t", &child, &context];
    let output = home.outcome("buildah", &build).await?;
    ensure!(output.success && output.text().contains(greeting), "{}", output.text());
    push(home, server, trust, "child", &child).await?;
    home.run("buildah", &["rmi", "-a", "-f"]).await?;
    home.run("buildah", &["pull", "-q", trust, &child]).await?;
    home.run("buildah", &["rmi", "-a", "-f"]).await?;
    Ok(())
}

async fn push(home: &Home, server: &dyn Registry, trust: &str, name: &str, image: &str) -> Result<()> {
    let digest_file = home.file("digest");
    home.run("buildah", &["push", "-q", trust, "--digestfile", &digest_file, image]).await?;
    ensure_tag(server, &format!("buildah/{name}"), "1", &std::fs::read_to_string(&digest_file)?).await
}
