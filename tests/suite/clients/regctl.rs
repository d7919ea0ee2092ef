//! regctl: copies, tags, artifacts, and manifests of any kind.

use anyhow::{Result, ensure};

use super::{Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Images, Registry};

#[tokio::test]
async fn works_over_http() -> Result<()> {
    let stage = Stage::new().await?;
    speak_plainly(&stage.home, &stage.plain).await?;
    round_trip(&stage.home, &stage.images, &stage.plain).await
}

#[tokio::test]
async fn works_over_tls() -> Result<()> {
    let stage = Stage::new().await?;
    let reference = format!("{}/regctl/image:1", stage.secure.host());
    stage.home.fails("regctl", &["manifest", "head", &reference], UNTRUSTED).await?;
    let pem = std::fs::read_to_string(stage.authority.ca_file())?;
    stage.home.run("regctl", &["registry", "set", "--cacert", &pem, stage.secure.host()]).await?;
    round_trip(&stage.home, &stage.images, &stage.secure).await
}

/// Tells regctl that a registry speaks no TLS.
pub(crate) async fn speak_plainly(home: &Home, server: &dyn Registry) -> Result<()> {
    home.run("regctl", &["registry", "set", "--tls", "disabled", server.host()]).await?;
    Ok(())
}

pub(crate) async fn round_trip(home: &Home, images: &Images, server: &dyn Registry) -> Result<()> {
    let host = server.host();
    for image in [&images.image, &images.multi, &images.artifact] {
        let (from, to) =
            (format!("ocidir://{}:{}", images.dir(), image.name), format!("{host}/regctl/{}:1", image.name));
        home.run("regctl", &["image", "copy", &from, &to]).await?;
        ensure_tag(server, &format!("regctl/{}", image.name), "1", &image.digest).await?;
        let back = format!("ocidir://{}:{}", home.file("back"), image.name);
        home.run("regctl", &["image", "copy", &to, &back]).await?;
        let digest = home.run("regctl", &["manifest", "head", &back]).await?;
        ensure!(digest.trim() == image.digest, "{} came back as {digest}", image.name);
    }
    tags_and_artifacts(home, host).await
}

async fn tags_and_artifacts(home: &Home, host: &str) -> Result<()> {
    let (one, two) = (format!("{host}/regctl/multi:1"), format!("{host}/regctl/multi:2"));
    home.run("regctl", &["image", "copy", &one, &two]).await?;
    let repository = format!("{host}/regctl/multi");
    ensure!(home.run("regctl", &["tag", "ls", &repository]).await? == "1\n2\n", "tags after a copy");
    home.run("regctl", &["tag", "delete", &two]).await?;
    ensure!(home.run("regctl", &["tag", "ls", &repository]).await? == "1\n", "tags after a delete");

    let note = home.write("note.txt", "a note\n")?.display().to_string();
    let put = [
        "artifact",
        "put",
        "--artifact-type",
        "application/vnd.example.note",
        "--subject",
        &one,
        "-f",
        &note,
    ];
    home.run("regctl", &put).await?;
    let list = home.run("regctl", &["artifact", "list", &one]).await?;
    ensure!(list.contains("application/vnd.example.note"), "{list}");
    let got = home.run("regctl", &["artifact", "get", "--subject", &one]).await?;
    ensure!(got == "a note\n", "the artifact came back as {got:?}");
    let repositories = home.run("regctl", &["repo", "ls", host]).await?;
    ensure!(repositories.contains("regctl/artifact\n"), "{repositories}");
    Ok(())
}
