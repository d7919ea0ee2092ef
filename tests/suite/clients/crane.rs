//! crane: pushes, copies, lists, validates and deletes.

use std::path::Path;

use anyhow::{Result, ensure};

use super::{REFUSED, Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Image, Images, PASSWORD, Registry, Setup, USER};

#[tokio::test]
async fn works_over_http() -> Result<()> {
    let stage = Stage::new().await?;
    round_trip(&stage.home, &stage.images, &stage.plain).await
}

#[tokio::test]
async fn works_over_tls() -> Result<()> {
    let mut stage = Stage::new().await?;
    let reference = format!("{}/crane/image:1", stage.secure.host());
    stage.home.fails("crane", &["digest", &reference], UNTRUSTED).await?;
    stage.home.set("SSL_CERT_FILE", stage.authority.ca_file());
    round_trip(&stage.home, &stage.images, &stage.secure).await
}

pub(crate) async fn round_trip(home: &Home, images: &Images, server: &dyn Registry) -> Result<()> {
    let host = server.host();
    let reference = push(home, images, server, &images.image).await?;
    let multi = push(home, images, server, &images.multi).await?;
    ensure_tag(server, "crane/image", "1", &images.image.digest).await?;
    ensure_tag(server, "crane/multi", "1", &images.multi.digest).await?;
    home.run("crane", &["validate", "--remote", &reference]).await?;

    let copy = format!("{host}/crane/copy:2");
    home.run("crane", &["copy", &multi, &copy]).await?;
    ensure!(home.run("crane", &["digest", &copy]).await?.trim() == images.multi.digest, "the copy changed");
    home.run("crane", &["tag", &copy, "3"]).await?;
    let repository = format!("{host}/crane/copy");
    let tags = home.run("crane", &["ls", &repository]).await?;
    ensure!(tags == "2\n3\n", "tags after copy and tag: {tags}");
    let catalog = home.run("crane", &["catalog", host]).await?;
    ensure!(catalog == "crane/copy\ncrane/image\ncrane/multi\n", "catalog: {catalog}");

    home.run("crane", &["pull", "--format", "oci", &reference, &home.file("pulled")]).await?;
    let blob = format!("blobs/{}", images.image.digest.replace(':', "/"));
    ensure!(
        Path::new(&home.file("pulled")).join(blob).exists(),
        "the pulled layout lacks {}",
        images.image.digest
    );
    home.run("crane", &["delete", &format!("{repository}@{}", images.multi.digest)]).await?;
    home.fails("crane", &["digest", &copy], &["MANIFEST_UNKNOWN", "404"]).await
}

/// Pushes an image of the layout, which crane takes only as a layout of its own.
async fn push(home: &Home, images: &Images, server: &dyn Registry, image: &Image) -> Result<String> {
    let own = home.file(&format!("own-{}", image.name));
    home.run("skopeo", &["copy", "-q", "--all", &images.oci(image), &format!("oci:{own}:{}", image.name)])
        .await?;
    let reference = format!("{}/crane/{}:1", server.host(), image.name);
    home.run("crane", &["push", &own, &reference]).await?;
    Ok(reference)
}

#[tokio::test]
async fn logs_in() -> Result<()> {
    let home = Home::new()?;
    let images = Images::build(home.path())?;
    let server = Setup::default().with_user().start().await?;
    let login = |password| ["auth", "login", server.host(), "-u", USER, "-p", password];
    ensure!(push(&home, &images, &server, &images.image).await.is_err(), "pushed without a password");
    // crane stores what it is told and learns of a wrong password at the first request.
    home.run("crane", &login("wrong")).await?;
    home.fails("crane", &["ls", &format!("{}/crane/image", server.host())], REFUSED).await?;
    home.run("crane", &login(PASSWORD)).await?;
    push(&home, &images, &server, &images.image).await?;
    ensure_tag(&server, "crane/image", "1", &images.image.digest).await
}
