//! What is taken back is taken back from tokens that are out, and tokens of one node are good on the others.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{Stage, field};
use crate::harness::{Authority, Home, PASSWORD, Server, Setup, USER};

const SCOPE: &str = "scope=repository:team/seed:pull,push&service=berth";

/// A client that trusts an authority, if one is given.
pub(super) fn client(authority: Option<&Authority>) -> Result<Client> {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = authority.map(|authority| std::fs::read(authority.ca_file())).transpose()?;
    let roots = roots.map(|pem| reqwest::Certificate::from_pem(&pem)).transpose()?;
    Ok(Client::builder().no_proxy().tls_certs_only(roots).build()?)
}

pub(super) async fn token(client: &Client, base: &str, name: &str, password: &str) -> Result<String> {
    let answer = client.get(format!("{base}/token?{SCOPE}")).basic_auth(name, Some(password)).send().await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.text().await?);
    field(&answer.text().await?, "token")
}

/// Waits until a token is refused with this status; hands back how long that took, and the challenge.
pub(super) async fn refused(
    client: &Client,
    base: &str,
    token: &str,
    status: StatusCode,
) -> Result<(Duration, String)> {
    let began = Instant::now();
    loop {
        let answer = client.get(format!("{base}/v2/team/seed/manifests/1")).bearer_auth(token).send().await?;
        if answer.status() == status {
            let challenge =
                answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap_or_default());
            return Ok((began.elapsed(), challenge.unwrap_or_default().to_owned()));
        }
        if began.elapsed() > Duration::from_secs(5) {
            bail!("still {} after 5 s", answer.status());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_robot_that_is_disabled_or_deleted_loses_its_tokens() -> Result<()> {
    let stage = Stage::new().await?;
    let (client, base) = (client(Some(&stage.authority))?, format!("https://{}", stage.host()));
    let robot = &stage.members[1];
    for verb in ["disable", "delete"] {
        let token = token(&client, &base, &robot.name, &robot.password).await?;
        let answer =
            client.get(format!("{base}/v2/team/seed/manifests/1")).bearer_auth(&token).send().await?;
        ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
        stage.server.succeeds(&["robot", verb, &robot.name]).await?;
        let (took, challenge) = refused(&client, &base, &token, StatusCode::UNAUTHORIZED).await?;
        ensure!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        println!("robot {verb}: its token was refused {} ms after the command", took.as_millis());
        if verb == "disable" {
            stage.server.succeeds(&["robot", "enable", &robot.name]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_user_who_is_logged_out_loses_tokens_and_keeps_the_password() -> Result<()> {
    let stage = Stage::new().await?;
    let (client, base) = (client(Some(&stage.authority))?, format!("https://{}", stage.host()));
    let first = stage.server.succeeds(&["user", "add", "dora", "--generate"]).await?;
    let password = format!("{}x", first.trim());
    crate::users::choose(&stage.server, "dora", &password)?;
    stage.server.succeeds(&["bind", "add", "user:dora", "guest", "--project", "team"]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let token = async || token(&client, &base, "dora", &password).await;
    let pull = async |token: &str| {
        let request = client.get(format!("{base}/v2/team/seed/manifests/1")).bearer_auth(token);
        Ok::<_, anyhow::Error>(request.send().await?.status())
    };
    let old = token().await?;
    ensure!(pull(&old).await? == StatusCode::OK, "it is good at first");
    stage.server.succeeds(&["user", "logout", "dora"]).await?;
    refused(&client, &base, &old, StatusCode::UNAUTHORIZED).await?;
    ensure!(pull(&token().await?).await? == StatusCode::OK, "the password buys another");
    Ok(())
}

#[tokio::test]
async fn keys_and_secrets_are_replaced_beside_a_running_server() -> Result<()> {
    let stage = Stage::new().await?;
    let (client, base) = (client(Some(&stage.authority))?, format!("https://{}", stage.host()));
    let old = token(&client, &base, USER, PASSWORD).await?;
    let kid = stage.server.succeeds(&["keys", "rotate"]).await?;
    let kid = kid.split_whitespace().next().unwrap_or_default().to_owned();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let new = token(&client, &base, USER, PASSWORD).await?;
    for token in [&old, &new] {
        let answer = client.get(format!("{base}/v2/")).bearer_auth(token).send().await?;
        ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    }
    let keys: Value = client.get(format!("{base}/.well-known/jwks.json")).send().await?.json().await?;
    ensure!(keys["keys"][0]["kid"] == kid.as_str() && keys["keys"][1].is_object(), "{keys}");

    // Without a key of the operator's, another is made and the old one goes.
    let said = stage.server.succeeds(&["secrets", "rotate"]).await?;
    ensure!(!said.starts_with("0 ") && said.contains(" sealed anew under key "), "{said}");
    let answer = client.get(format!("{base}/v2/")).bearer_auth(&old).send().await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());

    stage.server.succeeds(&["keys", "rotate", "--at-once"]).await?;
    let (took, challenge) = refused(&client, &base, &new, StatusCode::UNAUTHORIZED).await?;
    ensure!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    println!("keys rotate --at-once: refused {} ms after the command", took.as_millis());
    let listed = stage.server.succeeds(&["keys", "list"]).await?;
    ensure!(listed.lines().filter(|line| line.ends_with("\tsigns")).count() == 1, "{listed}");
    token(&client, &base, USER, PASSWORD).await?;
    Ok(())
}

#[tokio::test]
async fn an_operators_key_takes_over_and_a_start_without_it_fails() -> Result<()> {
    let home = Home::new()?;
    let key = |byte: u8| {
        let text: Vec<String> =
            (0..32_u8).map(|n| format!("{:02x}", n.wrapping_mul(7).wrapping_add(byte))).collect();
        text.concat()
    };
    let file = home.write("secrets.key", &format!("{}\n", key(1)))?.display().to_string();
    let mut server =
        Setup::default().with_user().with_config(&format!("secrets:\n  key_file: {file}")).start().await?;
    let base = async |server: &Server| {
        let client = client(None)?;
        token(&client, &format!("http://{}", server.host()), USER, PASSWORD).await
    };
    base(&server).await?;
    server.stop().await?;
    // The new one first, the old one below.
    home.write("secrets.key", &format!("# made today\n{}\n{}\n", key(3), key(1)))?;
    server.start().await?;
    base(&server).await?;
    let said = server.succeeds(&["secrets", "rotate"]).await?;
    ensure!(!said.starts_with("0 ") && said.contains(" sealed anew under key "), "{said}");
    let said = server.succeeds(&["secrets", "rotate"]).await?;
    ensure!(said.starts_with("0 sealed anew under key "), "{said}");
    server.stop().await?;
    home.write("secrets.key", &format!("{}\n", key(3)))?;
    server.start().await?;
    base(&server).await?;
    server.stop().await?;
    for (wrong, reason) in [
        (key(5), "is not among the keys here"),
        ("hunter2".to_owned(), "is no key of 32 bytes"),
        (String::new(), "holds no key"),
        ("11".repeat(32), "is not random"),
    ] {
        home.write("secrets.key", &wrong)?;
        let refused = server.start().await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refused.contains(reason), "{wrong:?}: {refused}");
        ensure!(wrong.is_empty() || !refused.contains(&wrong), "{refused}");
        server.kill()?;
    }
    Ok(())
}
