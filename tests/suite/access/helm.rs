//! helm.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host, ca) = (&stage.home, stage.host(), stage.authority.ca_file());
    home.write("hello/Chart.yaml", "apiVersion: v2\nname: hello\nversion: 0.1.0\n")?;
    home.run("helm", &["package", "hello"]).await?;
    let package = home.file("hello-0.1.0.tgz");
    let push = |to: &str| {
        ["push".to_owned(), package.clone(), format!("oci://{host}/{to}"), "--ca-file".into(), ca.clone()]
    };
    let show = |of: &str| {
        let chart = format!("oci://{host}/{of}/hello");
        ["show", "chart", &chart, "--version", "0.1.0", "--ca-file", &ca].map(ToOwned::to_owned)
    };
    for who in &stage.members {
        let login = |password| ["registry", "login", host, "--ca-file", &ca, "-u", &who.name, "-p", password];
        home.fails("helm", &login("wrong"), REFUSED).await?;
        home.run("helm", &login(&who.password)).await?;
        let to = format!("team/helm-{}", who.word);
        home.run("helm", &push(&to).each_ref().map(String::as_str)).await?;
        home.run("helm", &show(&to).each_ref().map(String::as_str)).await?;
        if who.word == "user" {
            home.run("helm", &push("open/charts").each_ref().map(String::as_str)).await?;
        }
        home.run("helm", &["registry", "logout", host]).await?;
        home.fails("helm", &show(&to).each_ref().map(String::as_str), REFUSED).await?;
    }
    home.run("helm", &show("open/charts").each_ref().map(String::as_str)).await?;
    let Who { name, password, .. } = &stage.reader;
    home.run("helm", &["registry", "login", host, "--ca-file", &ca, "-u", name, "-p", password]).await?;
    home.run("helm", &show("team/helm-user").each_ref().map(String::as_str)).await?;
    home.fails("helm", &push("team/no").each_ref().map(String::as_str), DENIED).await
}
