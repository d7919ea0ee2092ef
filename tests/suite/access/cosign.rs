//! cosign: signs by key what lies in a private project, and verifies it there.

use anyhow::{Result, ensure};

use super::{DENIED, Stage, Who, fails, vouched};
use crate::clients::REFUSED;
use crate::federation::jobs;
use crate::harness::Home;

/// Signs without the public log, which is out of reach.
const OFFLINE: [&str; 3] = ["--yes", "--use-signing-config=false", "--tlog-upload=false"];

#[tokio::test]
async fn logs_in_signs_and_verifies() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.home.set("SSL_CERT_FILE", stage.authority.ca_file());
    stage.home.set("COSIGN_PASSWORD", "x");
    let (home, host) = (&stage.home, stage.host());
    home.run("cosign", &["generate-key-pair"]).await?;
    home.run("mkdir", &["other"]).await?;
    home.run("cosign", &["generate-key-pair", "--output-key-prefix", "other/key"]).await?;
    let login = |name: &str, password: &str| ["login", host, "-u", name, "-p", password].map(str::to_owned);
    for who in &stage.members {
        let repository = format!("team/cosign-{}", who.word);
        stage.seed(&repository).await?;
        let image = format!("{host}/{repository}@{}", stage.images.image.digest);
        // cosign keeps what it is told and asks later, as crane does.
        home.run("cosign", &login(&who.name, "wrong").each_ref().map(String::as_str)).await?;
        fails(home, "cosign", &sign(&image, &[]), REFUSED).await?;
        log_out(home)?;
        fails(home, "cosign", &verify(&image, "cosign.pub", &[]), REFUSED).await?;
        home.run("cosign", &login(&who.name, &who.password).each_ref().map(String::as_str)).await?;
        signs_and_verifies(&stage, &image).await?;
        log_out(home)?;
    }
    // A job that changes its token for one of Berth's, and hands that to the client.
    let scope = "repository:team/cosign-job:pull,push";
    let (status, answer) = jobs::exchange(&stage.server, &vouched::job().await?, scope).await?;
    ensure!(status == 200, "{status} {answer}");
    let image = format!("{host}/team/cosign-job@{}", stage.images.image.digest);
    let token = format!("--registry-token={}", answer["access_token"].as_str().unwrap_or_default());
    run(&stage, &sign(&image, &[&token])).await?;
    run(&stage, &verify(&image, "cosign.pub", &[&token])).await?;

    // The right to sign is enough, and is for nothing else; without it one hears so.
    let Who { name, password, .. } = &stage.signer;
    home.run("cosign", &login(name, password).each_ref().map(String::as_str)).await?;
    let image = format!("{host}/team/seed@{}", stage.images.image.digest);
    signs_and_verifies(&stage, &image).await?;
    home.fails("crane", &["tag", &image, "moved"], DENIED).await?;
    let open = format!("{host}/open/image@{}", stage.images.image.digest);
    fails(home, "cosign", &sign(&open, &[]), DENIED).await?;
    let Who { name, password, .. } = &stage.reader;
    home.run("cosign", &login(name, password).each_ref().map(String::as_str)).await?;
    run(&stage, &verify(&image, "cosign.pub", &[])).await?;
    fails(home, "cosign", &sign(&image, &[]), DENIED).await
}

/// cosign has no word for it.
fn log_out(home: &Home) -> Result<()> {
    home.write("docker/config.json", "{}").map(|_| ())
}

/// Signs in both forms that cosign has: a referrer, and a tag of its own.
async fn signs_and_verifies(stage: &Stage, image: &str) -> Result<()> {
    for form in ["--new-bundle-format=true", "--new-bundle-format=false"] {
        run(stage, &sign(image, &[form])).await?;
        run(stage, &verify(image, "cosign.pub", &[form])).await?;
        let wrong = ["invalid signature", "no matching signatures", "failed to verify signature"];
        fails(&stage.home, "cosign", &verify(image, "other/key.pub", &[form]), &wrong).await?;
    }
    Ok(())
}

async fn run(stage: &Stage, arguments: &[String]) -> Result<String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    stage.home.run("cosign", &arguments).await
}

fn sign(image: &str, more: &[&str]) -> Vec<String> {
    let all = [&["sign", "--key", "cosign.key"], &OFFLINE[..], more, &[image]].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn verify(image: &str, key: &str, more: &[&str]) -> Vec<String> {
    let all = [&["verify", "--key", key, "--insecure-ignore-tlog=true"], more, &[image]].concat();
    all.into_iter().map(str::to_owned).collect()
}
