//! Tokens that serve more than they were made for, and uploads of others (Quay CVE-2026-32589).

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Api, PASSWORD, Server, Setup, USER, content};

/// A token of somebody who may do everything.
async fn token(server: &Server, scope: &str) -> Result<String> {
    let answer = server.api()?.get(&format!("/token?service=berth&scope={scope}")).await?;
    let answer: Value = answer.json().await?;
    Ok(answer["token"].as_str().with_context(|| answer.to_string())?.to_owned())
}

#[tokio::test]
async fn a_token_for_one_repository_or_action_serves_no_other() -> Result<()> {
    let server = Setup::default().with_administrator().start().await?;
    let api = server.api()?;
    let digest = api.push_blob("team/a", &content(1, 40_000)).await?;
    api.push_blob("team/b", b"x").await?;
    let stranger = Api::new(&format!("http://{}", server.host()), None, None)?;
    let ask = async |token: &str, method: Method, path: &str| -> Result<StatusCode> {
        let request = stranger.request(method, path)?.bearer_auth(token).header("content-length", "0");
        Ok(request.send().await?.status())
    };
    let pull = token(&server, "repository:team/a:pull").await?;
    let blob = format!("/v2/team/a/blobs/{digest}");
    ensure!(ask(&pull, Method::HEAD, &blob).await? == StatusCode::OK);
    for (method, path) in [
        (Method::DELETE, blob.as_str()),
        (Method::POST, "/v2/team/a/blobs/uploads/"),
        (Method::GET, "/v2/team/b/tags/list"),
        (Method::GET, "/v2/team/a/b/tags/list"),
        (Method::GET, "/v2/team/tags/list"),
        (Method::GET, "/v2/_catalog"),
        (Method::GET, "/api/v1/bindings"),
        (Method::GET, "/api/v1/users"),
    ] {
        let status = ask(&pull, method.clone(), path).await?;
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        // What may be known of it at most is that it is not there.
        ensure!(refused || status == StatusCode::NOT_FOUND, "{method} {path}: {status}");
    }
    // A blob comes along from where the token may read, and from nowhere else.
    let push = token(&server, "repository:team/b:pull,push").await?;
    let mount = format!("/v2/team/b/blobs/uploads/?mount={digest}&from=team/a");
    ensure!(ask(&push, Method::POST, &mount).await? != StatusCode::CREATED);
    ensure!(ask(&push, Method::HEAD, &format!("/v2/team/b/blobs/{digest}")).await? == StatusCode::NOT_FOUND);
    let both = token(&server, "repository:team/b:pull,push&scope=repository:team/a:pull").await?;
    ensure!(ask(&both, Method::POST, &mount).await? == StatusCode::CREATED);
    // Nor does a token buy more than it is.
    let wider = stranger.request(Method::GET, "/token?service=berth&scope=repository:team/b:push")?;
    let status = wider.bearer_auth(&pull).send().await?.status();
    ensure!(!status.is_success() || status == StatusCode::OK && !buys(&stranger, &pull).await?, "{status}");
    Ok(())
}

/// Whether what a token gets for itself pushes elsewhere.
async fn buys(api: &Api, token: &str) -> Result<bool> {
    let request = api.request(Method::GET, "/token?service=berth&scope=repository:team/b:push")?;
    let answer: Value = request.bearer_auth(token).send().await?.json().await?;
    let bought = answer["token"].as_str().unwrap_or_default().to_owned();
    let request = api.request(Method::POST, "/v2/team/b/blobs/uploads/")?;
    Ok(request.bearer_auth(bought).header("content-length", "0").send().await?.status().is_success())
}

#[tokio::test]
async fn an_upload_of_somebody_else_is_not_there() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let api = server.api()?;
    api.push_blob("team/a", b"x").await?;
    let secret = server.succeeds(&["robot", "create", "ci", "--project", "team", "--owner", USER]).await?;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let url = format!("http://{}", server.host());
    let robot = Api::new(&url, None, Some(("robot+team+ci", secret.trim())))?;
    let upload = api.start_upload("team/a").await?;
    let own = robot.start_upload("team/a").await?;
    ensure!(robot.upload_offset(&own).await?.is_some(), "it may push there");
    for (other, location) in [(&robot, &upload), (&Api::new(&url, None, Some((USER, PASSWORD)))?, &own)] {
        for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
            let status =
                other.request(method.clone(), location)?.header("content-length", "0").send().await?.status();
            let hidden = [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&status);
            ensure!(hidden, "{method} {location}: {status}");
        }
        ensure!(other.upload_offset(location).await?.is_none());
    }
    ensure!(api.upload_offset(&upload).await? == Some(0) && robot.upload_offset(&own).await? == Some(0));
    Ok(())
}
