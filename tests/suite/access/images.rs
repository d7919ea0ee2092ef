//! skopeo, crane and regctl.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;
use crate::harness::Home;

#[tokio::test]
async fn skopeo_logs_in_pushes_and_pulls() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host, dir) = (&stage.home, stage.host(), stage.authority.ca_dir());
    let (source, target) = (format!("--src-cert-dir={dir}"), format!("--dest-cert-dir={dir}"));
    let image = stage.images.oci(&stage.images.image);
    let pull = async |repository: &str| {
        let (from, to) = (format!("docker://{host}/{repository}:1"), format!("dir:{}", home.file("pulled")));
        home.outcome("skopeo", &["copy", "-q", &source, &from, &to]).await
    };
    let push = |repository: &str| {
        let there = format!("docker://{host}/{repository}:1");
        ["copy".to_owned(), "-q".to_owned(), target.clone(), image.clone(), there]
    };
    let trust = format!("--cert-dir={dir}");
    assert!(pull("open/image").await?.success, "everybody may pull what is public");
    assert!(!pull("team/seed").await?.success);
    fails(home, "skopeo", &push("open/image"), REFUSED).await?;
    for who in &stage.members {
        home.fails("skopeo", &["login", &trust, "-u", &who.name, "-p", "wrong", host], REFUSED).await?;
        home.run("skopeo", &["login", &trust, "-u", &who.name, "-p", &who.password, host]).await?;
        let repository = format!("team/skopeo-{}", who.word);
        let arguments = push(&repository);
        home.run("skopeo", &arguments.each_ref().map(String::as_str)).await?;
        stage.ensure_pushed(&repository).await?;
        assert!(pull(&repository).await?.success);
        home.run("skopeo", &["logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run("skopeo", &["login", &trust, "-u", name, "-p", password, host]).await?;
    assert!(pull("team/seed").await?.success);
    fails(home, "skopeo", &push("team/no"), DENIED).await
}

async fn fails(home: &Home, program: &str, arguments: &[String], reasons: &[&str]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    home.fails(program, &arguments, reasons).await
}

#[tokio::test]
async fn crane_logs_in_pushes_and_pulls() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.home.set("SSL_CERT_FILE", stage.authority.ca_file());
    let (home, host) = (&stage.home, stage.host());
    let own = home.file("own");
    home.run("skopeo", &["copy", "-q", &stage.images.oci(&stage.images.image), &format!("oci:{own}:1")])
        .await?;
    let pull =
        |repository: &str| ["pull".to_owned(), format!("{host}/{repository}:1"), home.file("pulled.tar")];
    let run = async |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        home.run("crane", &arguments).await
    };
    run(&pull("open/image")).await?;
    fails(home, "crane", &pull("team/seed"), REFUSED).await?;
    for who in &stage.members {
        let repository = format!("team/crane-{}", who.word);
        let reference = format!("{host}/{repository}:1");
        home.run("crane", &["auth", "login", host, "-u", &who.name, "-p", "wrong"]).await?;
        home.fails("crane", &["push", &own, &reference], REFUSED).await?;
        home.run("crane", &["auth", "login", host, "-u", &who.name, "-p", &who.password]).await?;
        home.run("crane", &["push", &own, &reference]).await?;
        stage.ensure_pushed(&repository).await?;
        run(&pull(&repository)).await?;
        home.run("crane", &["validate", "--remote", &reference]).await?;
        home.run("crane", &["auth", "logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run("crane", &["auth", "login", host, "-u", name, "-p", password]).await?;
    run(&pull("team/seed")).await?;
    home.fails("crane", &["push", &own, &format!("{host}/team/no:1")], DENIED).await
}

#[tokio::test]
async fn regctl_logs_in_pushes_and_pulls() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host) = (&stage.home, stage.host());
    let pem = std::fs::read_to_string(stage.authority.ca_file())?;
    home.run("regctl", &["registry", "set", "--cacert", &pem, host]).await?;
    let image = format!("ocidir://{}:{}", stage.images.dir(), stage.images.image.name);
    let head = |repository: &str| format!("{host}/{repository}:1");
    home.run("regctl", &["manifest", "get", &head("open/image")]).await?;
    home.fails("regctl", &["manifest", "get", &head("team/seed")], REFUSED).await?;
    for who in &stage.members {
        let login = |password| ["registry", "login", host, "-u", &who.name, "-p", password];
        home.fails("regctl", &login("wrong"), REFUSED).await?;
        home.run("regctl", &login(&who.password)).await?;
        let repository = format!("team/regctl-{}", who.word);
        home.run("regctl", &["image", "copy", &image, &head(&repository)]).await?;
        stage.ensure_pushed(&repository).await?;
        // Within the registry: the token for one repository does not do for the other, and a mount needs both.
        let copy = format!("{host}/team/regctl-copy-{}:1", who.word);
        home.run("regctl", &["image", "copy", &head(&repository), &copy]).await?;
        home.run("regctl", &["manifest", "get", &copy]).await?;
        home.run("regctl", &["registry", "logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run("regctl", &["registry", "login", host, "-u", name, "-p", password]).await?;
    home.run("regctl", &["manifest", "get", &head("team/seed")]).await?;
    home.fails("regctl", &["image", "copy", &image, &head("team/no")], DENIED).await
}
