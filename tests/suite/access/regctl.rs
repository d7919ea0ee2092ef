//! regctl.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
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
