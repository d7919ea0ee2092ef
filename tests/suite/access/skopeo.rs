//! skopeo.

use anyhow::Result;

use super::{DENIED, Stage, Who, fails};
use crate::clients::REFUSED;

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
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
