//! podman and buildah.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::{REFUSED, configure_podman};

#[tokio::test]
async fn podman_logs_in_pushes_and_pulls() -> Result<()> {
    log_in_push_and_pull("podman").await
}

#[tokio::test]
async fn buildah_logs_in_pushes_and_pulls() -> Result<()> {
    log_in_push_and_pull("buildah").await
}

async fn log_in_push_and_pull(program: &str) -> Result<()> {
    let mut stage = Stage::new().await?;
    configure_podman(&mut stage.home)?;
    let (home, host) = (&stage.home, stage.host());
    let trust = format!("--cert-dir={}", stage.authority.ca_dir());
    let open = format!("{host}/open/image:1");
    home.run(program, &["pull", "-q", &trust, &open]).await?;
    home.fails(program, &["pull", "-q", &trust, &format!("{host}/team/seed:1")], REFUSED).await?;
    home.fails(program, &["push", "-q", &trust, &open, &format!("{host}/open/other:1")], REFUSED).await?;
    for who in &stage.members {
        let login = |password| ["login", &trust, "-u", &who.name, "-p", password, host];
        home.fails(program, &login("wrong"), REFUSED).await?;
        home.run(program, &login(&who.password)).await?;
        let reference = format!("{host}/team/{program}-{}:1", who.word);
        home.run(program, &["push", "-q", &trust, &open, &reference]).await?;
        home.run(program, &["pull", "-q", &trust, &reference]).await?;
        home.run(program, &["logout", host]).await?;
        home.fails(program, &["pull", "-q", &trust, &format!("{host}/team/seed:1")], REFUSED).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run(program, &["login", &trust, "-u", name, "-p", password, host]).await?;
    home.run(program, &["pull", "-q", &trust, &format!("{host}/team/seed:1")]).await?;
    home.fails(program, &["push", "-q", &trust, &open, &format!("{host}/team/no:1")], DENIED).await?;
    home.run(program, &["rmi", "-a", "-f"]).await?;
    Ok(())
}
