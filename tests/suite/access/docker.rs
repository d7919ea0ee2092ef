//! docker, which asks `/v2/` first, and keeps a refresh token instead of the password.

use anyhow::{Result, ensure};

use super::{DENIED, Stage, Who, field};
use crate::clients::REFUSED;
use crate::clients::docker::{Address, DOCKER, Trust, start};

/// docker never checks a certificate on 127.0.0.0/8; this one is reserved for documentation.
const ADDRESS: &str = "198.51.100.78";

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
    let probe = crate::harness::Home::new()?;
    let _address = Address::add(&probe, ADDRESS).await?;
    let mut stage = Stage::on(Some(ADDRESS)).await?;
    let engine = start(&mut stage.home).await?;
    let _trust = Trust::new(&stage.server, &stage.authority)?;
    let (home, host) = (&stage.home, stage.host());
    let open = format!("{host}/open/image:1");
    let pulled = home.run(DOCKER, &["pull", &open]).await?;
    ensure!(
        pulled.contains(&stage.images.image.digest),
        "without a login docker pulls what is public: {pulled}"
    );
    home.fails(DOCKER, &["pull", &format!("{host}/team/seed:1")], REFUSED).await?;
    for who in &stage.members {
        let login = |password| ["login", "-u", &who.name, "-p", password, host];
        home.fails(DOCKER, &login("wrong"), REFUSED).await?;
        home.run(DOCKER, &login(&who.password)).await?;
        let kept = std::fs::read_to_string(home.path().join("docker/config.json"))?;
        let is_kept = kept.contains("\"identitytoken\": \"berth_t_");
        ensure!(is_kept == (who.word == "user"), "docker keeps a refresh token for a password alone: {kept}");
        let repository = format!("team/docker-{}", who.word);
        let reference = format!("{host}/{repository}:1");
        home.run(DOCKER, &["tag", &open, &reference]).await?;
        home.run(DOCKER, &["push", &reference]).await?;
        home.run(DOCKER, &["rmi", "-f", &reference]).await?;
        home.run(DOCKER, &["pull", &reference]).await?;
        let manifest = stage.api()?.pull_manifest(&repository, "1").await?;
        ensure!(
            field(&String::from_utf8(manifest)?, "mediaType")?.contains("manifest"),
            "{repository} was not pushed"
        );
        home.run(DOCKER, &["logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run(DOCKER, &["login", "-u", name, "-p", password, host]).await?;
    home.run(DOCKER, &["pull", &format!("{host}/team/seed:1")]).await?;
    let no = format!("{host}/team/no:1");
    home.run(DOCKER, &["tag", &open, &no]).await?;
    home.fails(DOCKER, &["push", &no], DENIED).await?;
    engine.stop(home).await
}
