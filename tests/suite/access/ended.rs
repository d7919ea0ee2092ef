//! Secrets that end take the tokens along that were had for them, and nobody else's.

use anyhow::{Context as _, Result, ensure};
use reqwest::StatusCode;

use super::Stage;
use super::revoked::{client, refused, token};
use crate::harness::{PASSWORD, USER};

#[tokio::test]
async fn a_secret_that_ends_takes_its_tokens_along() -> Result<()> {
    let stage = Stage::new().await?;
    let (client, base) = (client(Some(&stage.authority))?, format!("https://{}", stage.host()));
    let pull = async |token: &str| {
        let request = client.get(format!("{base}/v2/team/seed/manifests/1")).bearer_auth(token);
        Ok::<_, anyhow::Error>(request.send().await?.status())
    };
    let first = stage.server.succeeds(&["user", "add", "dora", "--generate"]).await?;
    crate::users::choose(&stage.server, "dora", &format!("{}x", first.trim()))?;
    stage.server.succeeds(&["bind", "add", "user:dora", "guest", "--project", "team"]).await?;
    let make = async |name| stage.server.succeeds(&["app-password", "create", name, "--user", "dora"]).await;
    let (one, two) = (make("one").await?, make("two").await?);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (of_one, of_two) =
        (token(&client, &base, "dora", one.trim()).await?, token(&client, &base, "dora", two.trim()).await?);
    ensure!(pull(&of_one).await? == StatusCode::OK && pull(&of_two).await? == StatusCode::OK);
    let listed = stage.server.succeeds(&["app-password", "list", "--user", "dora"]).await?;
    let row = listed.lines().find(|line| line.contains("  one ")).context("no row")?;
    let id = row.split_whitespace().next().context("no id")?;
    stage.server.succeeds(&["app-password", "revoke", "--user", "dora", id]).await?;
    let (took, challenge) = refused(&client, &base, &of_one, StatusCode::UNAUTHORIZED).await?;
    ensure!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    println!("app-password revoke: its token was refused {} ms after the command", took.as_millis());
    ensure!(pull(&of_two).await? == StatusCode::OK, "the other one goes on");

    let robot = &stage.members[1];
    let old = token(&client, &base, &robot.name, &robot.password).await?;
    let secret = stage.server.succeeds(&["robot", "rotate", &robot.name, "--overlap", "0s"]).await?;
    let (took, _) = refused(&client, &base, &old, StatusCode::UNAUTHORIZED).await?;
    println!(
        "robot rotate --overlap 0s: the old token was refused {} ms after the command",
        took.as_millis()
    );
    let new = token(&client, &base, &robot.name, secret.trim()).await?;
    ensure!(pull(&new).await? == StatusCode::OK, "the new secret's is good");
    Ok(())
}

#[tokio::test]
async fn a_user_of_the_configuration_is_logged_out() -> Result<()> {
    let stage = Stage::new().await?;
    let (client, base) = (client(Some(&stage.authority))?, format!("https://{}", stage.host()));
    let old = token(&client, &base, USER, PASSWORD).await?;
    let form =
        [("grant_type", "password"), ("username", USER), ("password", PASSWORD), ("access_type", "offline")];
    let answer = client.post(format!("{base}/token")).form(&form).send().await?.text().await?;
    let refresh = super::field(&answer, "refresh_token")?;
    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let by_refresh = async || client.post(format!("{base}/token")).form(&again).send().await;
    ensure!(by_refresh().await?.status() == StatusCode::OK, "it is good at first");
    stage.server.succeeds(&["user", "logout", USER]).await?;
    ensure!(by_refresh().await?.status() == StatusCode::UNAUTHORIZED, "its row is gone at once");
    refused(&client, &base, &old, StatusCode::UNAUTHORIZED).await?;
    token(&client, &base, USER, PASSWORD).await?;
    Ok(())
}
