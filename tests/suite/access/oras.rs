//! oras.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;

#[tokio::test]
async fn logs_in_pushes_and_pulls() -> Result<()> {
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
