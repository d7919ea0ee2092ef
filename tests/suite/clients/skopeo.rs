//! skopeo: copies to every transport, syncs both ways, lists, inspects and deletes.

use anyhow::{Result, ensure};

use super::{REFUSED, Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Image, Images, PASSWORD, Registry, Server, Setup, USER, digest_of};

#[tokio::test]
async fn copies_over_http() -> Result<()> {
    let stage = Stage::new().await?;
    round_trip(&stage.home, &stage.images, &stage.plain, "--src-tls-verify=false", "--dest-tls-verify=false")
        .await
}

#[tokio::test]
async fn copies_over_tls() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = stage.authority.ca_dir();
    let (source, target) = (format!("--src-cert-dir={ca}"), format!("--dest-cert-dir={ca}"));
    let there = format!("docker://{}/skopeo/image:untrusted", stage.secure.host());
    stage.home.fails("skopeo", &["copy", &stage.images.oci(&stage.images.image), &there], UNTRUSTED).await?;
    round_trip(&stage.home, &stage.images, &stage.secure, &source, &target).await
}

/// Pushes every image, pulls it into another layout and compares digests.
pub(crate) async fn round_trip(
    home: &Home,
    images: &Images,
    server: &dyn Registry,
    source: &str,
    target: &str,
) -> Result<()> {
    for image in [&images.image, &images.multi, &images.artifact] {
        let there = format!("docker://{}/skopeo/{}:1", server.host(), image.name);
        home.run("skopeo", &["copy", "-q", "--all", target, &images.oci(image), &there]).await?;
        ensure_tag(server, &format!("skopeo/{}", image.name), "1", &image.digest).await?;
        let back = format!("oci:{}:{}", home.file("back"), image.name);
        home.run("skopeo", &["copy", "-q", "--all", source, &there, &back]).await?;
        ensure!(named_digest(home, "back", image.name)? == image.digest, "{} came back changed", image.name);
        let by_digest = format!("docker://{}/skopeo/{}@{}", server.host(), image.name, image.digest);
        let dir = format!("dir:{}", home.file(&format!("dir-{}", image.name)));
        home.run("skopeo", &["copy", "-q", "--all", source, &by_digest, &dir]).await?;
        let manifest = std::fs::read(home.path().join(format!("dir-{}/manifest.json", image.name)))?;
        ensure!(digest_of(&manifest) == image.digest, "{} by digest came back changed", image.name);
    }
    Ok(())
}

/// Digest that the index of an OCI layout gives to a name.
fn named_digest(home: &Home, layout: &str, name: &str) -> Result<String> {
    let index = std::fs::read_to_string(home.path().join(layout).join("index.json"))?;
    let index: serde_json::Value = serde_json::from_str(&index)?;
    let named = index["manifests"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|descriptor| descriptor["annotations"]["org.opencontainers.image.ref.name"] == name);
    Ok(named.and_then(|descriptor| descriptor["digest"].as_str()).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn converts_and_archives() -> Result<()> {
    let home = Home::new()?;
    let images = Images::build(home.path())?;
    let server = Server::open().await?;
    let image = images.oci(&images.image);
    let docker = format!("docker://{}/skopeo/v2s2:1", server.host());
    let copy = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
    home.run("skopeo", &[&copy[..], &["--format", "v2s2", &image, &docker]].concat()).await?;
    let manifest = server.api()?.pull_manifest("skopeo/v2s2", "1").await?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    ensure!(manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json", "{manifest}");
    for (transport, name) in [("docker-archive", "docker.tar:x/y:1"), ("oci-archive", "oci.tar:1")] {
        let archive = format!("{transport}:{}", home.file(name));
        home.run("skopeo", &[&copy[..], &[&docker, &archive]].concat()).await?;
        let again = format!("docker://{}/skopeo/again:{transport}", server.host());
        home.run("skopeo", &[&copy[..], &[&archive, &again]].concat()).await?;
    }
    let tags = home.run("skopeo", &["list-tags", "--tls-verify=false", &again(&server)]).await?;
    let tags: serde_json::Value = serde_json::from_str(&tags)?;
    ensure!(tags["Tags"] == serde_json::json!(["docker-archive", "oci-archive"]), "{tags}");
    Ok(())
}

fn again(server: &Server) -> String {
    format!("docker://{}/skopeo/again", server.host())
}

#[tokio::test]
async fn syncs_inspects_and_deletes() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host, image) = (&stage.home, stage.plain.host(), &stage.images.image);
    for tag in ["1", "2"] {
        let there = format!("docker://{host}/skopeo/sync:{tag}");
        home.run("skopeo", &["copy", "-q", "--dest-tls-verify=false", &stage.images.oci(image), &there])
            .await?;
    }
    let from = ["sync", "--src-tls-verify=false", "--src", "docker", "--dest", "dir", "--scoped"];
    let (repository, dir) = (format!("{host}/skopeo/sync"), home.file("sync"));
    home.run("skopeo", &[&from[..], &[&repository, &dir]].concat()).await?;
    let to = ["sync", "--dest-tls-verify=false", "--src", "dir", "--dest", "docker"];
    let (dir, target) = (home.file(&format!("sync/{host}/skopeo")), format!("{host}/mirror"));
    home.run("skopeo", &[&to[..], &[&dir, &target]].concat()).await?;
    ensure_tag(&stage.plain, "mirror/sync", "1", &image.digest).await?;
    ensure_tag(&stage.plain, "mirror/sync", "2", &image.digest).await?;

    inspect(home, host, image).await?;
    let reference = format!("docker://{host}/mirror/sync:1");
    home.run("skopeo", &["delete", "--tls-verify=false", &reference]).await?;
    home.fails("skopeo", &["inspect", "--tls-verify=false", &reference], &["manifest unknown", "404"]).await
}

async fn inspect(home: &Home, host: &str, image: &Image) -> Result<()> {
    let reference = format!("docker://{host}/skopeo/sync:1");
    let seen = home.run("skopeo", &["inspect", "--tls-verify=false", &reference]).await?;
    let seen: serde_json::Value = serde_json::from_str(&seen)?;
    ensure!(seen["Digest"] == image.digest.as_str(), "{seen}");
    ensure!(seen["RepoTags"] == serde_json::json!(["1", "2"]), "{seen}");
    Ok(())
}

#[tokio::test]
async fn logs_in() -> Result<()> {
    let home = Home::new()?;
    let images = Images::build(home.path())?;
    let server = Setup::default().with_user().start().await?;
    let login = |password| ["login", "--tls-verify=false", "-u", USER, "-p", password, server.host()];
    let there = format!("docker://{}/skopeo/private:1", server.host());
    let push = ["copy", "-q", "--dest-tls-verify=false", &images.oci(&images.image), &there];
    home.fails("skopeo", &push, REFUSED).await?;
    home.fails("skopeo", &login("wrong"), REFUSED).await?;
    home.run("skopeo", &login(PASSWORD)).await?;
    home.run("skopeo", &push).await?;
    ensure_tag(&server, "skopeo/private", "1", &images.image.digest).await
}
