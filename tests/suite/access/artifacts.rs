//! oras and helm.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;

#[tokio::test]
async fn oras_logs_in_pushes_and_pulls() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host, ca) = (&stage.home, stage.host(), stage.authority.ca_file());
    home.write("note.txt", "an artifact\n")?;
    let out = home.file("out");
    let fetch = |reference: &str| {
        ["manifest".to_owned(), "fetch".into(), "--ca-file".into(), ca.clone(), reference.to_owned()]
    };
    let (open, seed) = (fetch(&format!("{host}/open/image:1")), fetch(&format!("{host}/team/seed:1")));
    home.run("oras", &open.each_ref().map(String::as_str)).await?;
    home.fails("oras", &seed.each_ref().map(String::as_str), REFUSED).await?;
    for who in &stage.members {
        let login = |password| ["login", "--ca-file", &ca, "-u", &who.name, "-p", password, host];
        home.fails("oras", &login("wrong"), REFUSED).await?;
        home.run("oras", &login(&who.password)).await?;
        let reference = format!("{host}/team/oras-{}:1", who.word);
        home.run("oras", &["push", "--ca-file", &ca, &reference, "note.txt:text/plain"]).await?;
        home.run("oras", &["attach", "--ca-file", &ca, "--artifact-type", "a/b", &reference, "note.txt"])
            .await?;
        home.run("oras", &["pull", "--ca-file", &ca, "-o", &out, &reference]).await?;
        let copy = format!("{host}/team/oras-copy-{}:1", who.word);
        let copy = ["cp", "-r", "--from-ca-file", &ca, "--to-ca-file", &ca, &reference, &copy];
        home.run("oras", &copy).await?;
        home.run("oras", &["logout", host]).await?;
    }
    let Who { name, password, .. } = &stage.reader;
    home.run("oras", &["login", "--ca-file", &ca, "-u", name, "-p", password, host]).await?;
    home.run("oras", &seed.each_ref().map(String::as_str)).await?;
    let push = ["push", "--ca-file", &ca, &format!("{host}/team/no:1"), "note.txt"];
    home.fails("oras", &push, DENIED).await
}

#[tokio::test]
async fn helm_logs_in_pushes_and_pulls() -> Result<()> {
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
