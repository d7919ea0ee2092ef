//! Requests that cost more than they should (distribution CVE-2023-2253 and CVE-2017-11468), and passwords that everybody knows.

use anyhow::{Result, ensure};
use reqwest::StatusCode;

use super::raw;
use crate::harness::{Api, Server, Setup};

#[tokio::test]
async fn lists_bodies_and_heads_have_an_end() -> Result<()> {
    let server = Setup::default().start().await?;
    let api = server.api()?;
    api.push_blob("team/app", b"x").await?;
    for n in ["1000000000", "99999999999999999999", "-1", "0"] {
        for list in ["/v2/_catalog", "/v2/team/app/tags/list"] {
            let status = api.get(&format!("{list}?n={n}")).await?.status();
            ensure!(!status.is_server_error(), "{list}?n={n}: {status}");
        }
    }
    let manifest = format!(
        "{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"a\":\"{}\"}}",
        "x".repeat(9 << 20)
    );
    match api.put_manifest("team/app", "large", manifest.as_bytes()).await {
        Ok(answer) => ensure!(answer.status() == StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.status()),
        // Refused before all of it was sent.
        Err(error) => ensure!(error.to_string().contains("error sending request"), "{error:#}"),
    }
    let deep = format!(
        "{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"a\":{}}}",
        "[".repeat(1 << 20)
    );
    let request = api.request(reqwest::Method::PUT, "/v2/team/app/manifests/deep")?;
    let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
    let status = request.body(deep).send().await?.status();
    ensure!(status == StatusCode::BAD_REQUEST, "{status}");
    let large = format!("X-Large: {}\r\n", "x".repeat(1 << 20));
    if let Ok((status, answer)) = raw(&server, "/v2/", large.as_bytes()).await {
        ensure!((400..500).contains(&status), "{answer}");
    }
    let scopes: Vec<_> = (0..5_000).map(|n| format!("&scope=repository:team/r{n}:pull")).collect();
    if let Ok((status, answer)) = raw(&server, &format!("/token?service=berth{}", scopes.concat()), b"").await
    {
        ensure!(status < 500, "{answer}");
    }
    ensure!(api.get("/v2/").await?.status() == StatusCode::OK, "it goes on");
    Ok(())
}

/// Harbor CVE-2026-4404, Artifactory CVE-2019-17444.
#[tokio::test]
async fn no_password_is_known_beforehand() -> Result<()> {
    for server in [Server::open().await?, Setup::default().with_user().start().await?] {
        let url = format!("http://{}", server.host());
        for (name, password) in [
            ("admin", "Harbor12345"),
            ("admin", "admin123"),
            ("admin", "password"),
            ("admin", "admin"),
            ("admin", ""),
            ("administrator", "administrator"),
            ("access-admin", "password"),
            ("berth", "berth"),
            ("root", ""),
            ("robot$admin", ""),
        ] {
            for path in ["/v2/", "/token?service=berth", "/api/v1/me"] {
                let status = Api::new(&url, None, Some((name, password)))?.get(path).await?.status();
                ensure!(status == StatusCode::UNAUTHORIZED, "{name}:{password} {path}: {status}");
            }
        }
    }
    Ok(())
}
