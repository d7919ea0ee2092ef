//! Jobs of a CI system, which push with the tokens that it gives them.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use berth_engines::OidcProvider;
use reqwest::{Client as Http, StatusCode};
use serde_json::{Value, json};

use super::{Client, DENIED};
use crate::harness::{Server, Setup};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const SCOPE: &str = "repository:team/app:pull,push repository:other/app:push";

/// A server that lets jobs of `my-org` push to project `team`, and jobs of `once` do so with each token once.
async fn server() -> Result<Server> {
    let issuer = OidcProvider::shared().issuer();
    let policy = |name: &str, repository: &str, single_use: bool| {
        format!(
            "    - name: {name}
      issuer: \"{issuer}\"
      audience: registry.test
      claims: {{repository: \"{repository}/*\"}}
      grants: [{{role: maintainer, project: team}}]
      lifetime_seconds: 120
      single_use: {single_use}
"
        )
    };
    let config = format!(
        "access:\n  anonymous: none\n  workloads:\n{}{}",
        policy("ci", "my-org", false),
        policy("once", "once", true)
    );
    let server = Setup::default().with_config(&config).start().await?;
    server.succeeds(&["project", "create", "team"]).await?;
    Ok(server)
}

/// Gets a job's token from its CI system.
pub(crate) async fn token(audience: &str, repository: &str, seconds: u64) -> Result<String> {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let issuer = OidcProvider::shared().issuer();
    let claims = json!({ "repository": repository }).to_string();
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("audience", audience),
        ("claims", &claims),
        ("ttl", &seconds.to_string()),
    ]);
    let request = Http::builder().no_proxy().build()?.post(format!("{issuer}/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer: Value = request.basic_auth("ci", Some("ci-secret")).send().await?.json().await?;
    Ok(answer["access_token"].as_str().with_context(|| answer.to_string())?.to_owned())
}

fn form(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", super::site::encoded(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Exchanges a job's token for one of Berth's.
pub(crate) async fn exchange(server: &Server, token: &str, scope: &str) -> Result<(StatusCode, Value)> {
    let body = form(&[
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("scope", scope),
    ]);
    let request = server.api()?.request(reqwest::Method::POST, "/token")?;
    let response =
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await?;
    Ok((response.status(), response.json().await?))
}

#[tokio::test]
async fn a_job_pushes_with_its_own_token() -> Result<()> {
    let client = Client::new()?;
    let server = server().await?;
    let good = token("registry.test", "my-org/app", 300).await?;
    ensure!(client.log_in(&server, "oidc", &good).await?);
    client.push(&server, "team/app:1").await?;
    client.push_fails(&server, "other/app:1", DENIED).await?;
    let events = server.succeeds(&["events", "tail"]).await?;
    ensure!(events.contains("\"caller\":\"ci:ci/ci\""), "{events}");

    for (audience, repository) in [("another.test", "my-org/app"), ("registry.test", "evil/app")] {
        let token = token(audience, repository, 300).await?;
        ensure!(!client.log_in(&server, "oidc", &token).await?, "{audience} {repository}");
    }
    // Changed on the way: who it is for, and how it is to be checked.
    let (header, rest) = good.split_once('.').context("no token")?;
    let (claims, signature) = rest.split_once('.').context("no token")?;
    let decode =
        |part: &str| -> Result<Value> { Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?) };
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let mut changed = decode(claims)?;
    changed["repository"] = "my-org/another".into();
    let mut unsigned = decode(header)?;
    unsigned["alg"] = "none".into();
    for forged in [
        format!("{header}.{}.{signature}", encode(&changed)),
        format!("{}.{}.", encode(&unsigned), encode(&changed)),
        format!("{}.{claims}.{signature}", encode(&unsigned)),
        String::new(),
        "x".to_owned(),
    ] {
        let (status, answer) = exchange(&server, &forged, SCOPE).await?;
        ensure!([StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST].contains(&status), "{status} {answer}");
        ensure!(!answer.to_string().contains("eyJ"), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_may_be_exchanged_for_a_short_one() -> Result<()> {
    let server = server().await?;
    let job = token("registry.test", "once/app", 300).await?;
    let (status, answer) = exchange(&server, &job, SCOPE).await?;
    ensure!(status == StatusCode::OK, "{status} {answer}");
    ensure!(answer["expires_in"] == 120, "{answer}");
    ensure!(answer.get("refresh_token").is_none_or(Value::is_null), "{answer}");
    let ours = answer["access_token"].as_str().context("no token")?;
    for (path, expected) in [("/v2/team/app/blobs/uploads/", 202), ("/v2/other/app/blobs/uploads/", 401)] {
        let request = server.api()?.request(reqwest::Method::POST, path)?;
        let status = request.bearer_auth(ours).send().await?.status();
        ensure!(status == expected || (expected == 401 && status == 403), "{path}: {status}");
    }
    // Once.
    let (status, answer) = exchange(&server, &job, SCOPE).await?;
    ensure!(
        status == StatusCode::UNAUTHORIZED && answer.to_string().contains("used before"),
        "{status} {answer}"
    );
    let (status, answer) = exchange(&server, &token("registry.test", "evil/app", 300).await?, SCOPE).await?;
    ensure!(status == StatusCode::UNAUTHORIZED, "{status} {answer}");
    // Which claim is missing is said, as whoever sets a job up must know it.
    ensure!(answer.to_string().contains("repository to be"), "{answer}");
    Ok(())
}
