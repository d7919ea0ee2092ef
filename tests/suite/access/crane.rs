//! crane.

use anyhow::Result;

use super::{DENIED, Stage, Who, fails};
use crate::clients::REFUSED;

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
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
        if who.word == "robot" {
            home.fails("crane", &["push", &own, &format!("{host}/open/no:1")], DENIED).await?;
        }
        home.run("crane", &["auth", "logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run("crane", &["auth", "login", host, "-u", name, "-p", password]).await?;
    run(&pull("team/seed")).await?;
    home.fails("crane", &["push", &own, &format!("{host}/team/no:1")], DENIED).await
}
