//! Logging in at a service with a browser, and with a client by the password made there.

use anyhow::{Context as _, Result, ensure};
use berth_engines::OidcProvider;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_LANGUAGE, COOKIE, LOCATION};

use super::site::{ATTEMPT, PUBLIC_URL, SESSION, Site, cookie, form_token, identify};
use super::{Client, DENIED};
use crate::harness::{PASSWORD, Server, Setup};

/// A server at which one may log in at a service, and what a browser knows of it.
struct Stage {
    server: Server,
    site: Site,
    client: Client,
}

impl Stage {
    async fn new() -> Result<Self> {
        let client = Client::new()?;
        let hash = client.home.hash(PASSWORD).await?;
        let config = format!(
            "access:
  anonymous: none
  users: [{{name: carol, password: '{hash}', access: read}}]
  public_url: {PUBLIC_URL}
  oidc:
    - {{name: test, label: \"A <b>Test</b>\", issuer: \"{}\", client_id: berth, stored_client_secret: sso}}
  bindings:
    - role: maintainer
      subjects: [\"group:builders\"]
      project: team
",
            OidcProvider::shared().issuer()
        );
        let server = Setup::default().with_config(&config).start().await?;
        server.is_told("berth-secret", &["secrets", "set", "sso"]).await?;
        server.succeeds(&["project", "create", "team"]).await?;
        let site = Site::new(&format!("http://{}", server.host()), None)?;
        Ok(Self { server, site, client })
    }
}

#[tokio::test]
async fn a_password_made_after_a_login_lets_docker_in() -> Result<()> {
    let stage = Stage::new().await?;
    let session = stage.site.log_in("alice").await?;
    let response = stage.site.get("/login", &session).await?;
    for (header, expected) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        let value = response.headers().get(header).context(header)?.to_str()?.to_owned();
        ensure!(value.contains(expected), "{header}: {value}");
    }
    let page = response.text().await?;
    ensure!(page.contains("alice") && page.contains("builders"), "{page}");
    ensure!(!page.contains("<script"), "{page}");

    let csrf = form_token(&page)?;
    let password = stage.site.make_password(&session, "<laptop>").await?;
    let listed = stage.site.get("/login", &session).await?.text().await?;
    ensure!(listed.contains("&lt;laptop&gt;") && !listed.contains(&password), "{listed}");

    // It outlives the session.
    ensure!(
        stage.site.post("/login/out", &session, &[("csrf", &csrf)]).await?.status() == StatusCode::SEE_OTHER
    );
    ensure!(!stage.site.get("/login", &session).await?.text().await?.contains("builders"));
    ensure!(stage.client.log_in(&stage.server, "alice", &password).await?);
    stage.client.push(&stage.server, "team/app:1").await?;
    stage.client.push_fails(&stage.server, "other/app:1", DENIED).await?;

    // Its owner ends it.
    let session = stage.site.log_in("alice").await?;
    let page = stage.site.get("/login", &session).await?.text().await?;
    let (_, rest) = page.split_once("/login/passwords/").context("nothing to end")?;
    let id = rest.split('"').next().unwrap_or_default();
    let ended = stage
        .site
        .post(&format!("/login/passwords/{id}"), &session, &[("csrf", &form_token(&page)?)])
        .await?;
    ensure!(ended.status() == StatusCode::SEE_OTHER);
    ensure!(!stage.client.log_in(&stage.server, "alice", &password).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_else_can_use_a_login() -> Result<()> {
    let stage = Stage::new().await?;
    // A login that this browser did not begin.
    let begun = stage.site.get("/login/oidc/test", "").await?;
    let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
    let back = identify(&begun, "alice").await?;
    for cookies in ["", &format!("{ATTEMPT}=x"), &format!("{ATTEMPT}={}.L2xvZ2lu", "A".repeat(43))] {
        let response = stage.site.get(&back, cookies).await?;
        ensure!(response.status() == StatusCode::FORBIDDEN, "{}", response.status());
        ensure!(cookie(&response, SESSION).is_none());
    }
    ensure!(cookie(&stage.site.get(&back, &attempt).await?, SESSION).is_some());
    // And one that is over.
    ensure!(stage.site.get(&back, &attempt).await?.status() == StatusCode::BAD_GATEWAY);

    // Forms from elsewhere, and of others.
    let (alice, bob) = (stage.site.log_in("alice").await?, stage.site.log_in("bob").await?);
    let (of_alice, of_bob) = (
        stage.site.get("/login", &alice).await?.text().await?,
        stage.site.get("/login", &bob).await?.text().await?,
    );
    for csrf in ["", "x", &form_token(&of_bob)?] {
        let response = stage
            .site
            .post("/login/passwords", &alice, &[("csrf", csrf), ("name", "x"), ("days", "1")])
            .await?;
        ensure!(response.status() == StatusCode::FORBIDDEN, "{}", response.status());
    }
    let csrf = form_token(&of_alice)?;
    let url = format!("{}/login/passwords", stage.site.base);
    let foreign = stage.site.http.post(url).header(COOKIE, &alice).header("origin", "https://evil.example");
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded");
    let response = foreign.body(format!("csrf={csrf}&name=x&days=1")).send().await?;
    ensure!(response.status() == StatusCode::FORBIDDEN);
    // A password of somebody else's can't be ended, nor be told from one that is not there.
    let made = [("csrf", csrf.as_str()), ("name", "mine"), ("days", "1")];
    ensure!(stage.site.post("/login/passwords", &alice, &made).await?.status() == StatusCode::OK);
    let csrf = form_token(&of_bob)?;
    let (theirs, none) = (
        stage.site.post("/login/passwords/1", &bob, &[("csrf", &csrf)]).await?,
        stage.site.post("/login/passwords/9", &bob, &[("csrf", &csrf)]).await?,
    );
    ensure!(theirs.status() == none.status());
    ensure!(stage.site.get("/login", &alice).await?.text().await?.contains("mine"));

    // Made-up sessions, and a disabled user's.
    for session in [format!("{SESSION}="), format!("{SESSION}=berth_s_{}", "0".repeat(49))] {
        ensure!(stage.site.get("/login", &session).await?.text().await?.contains("name=\"password\""));
    }
    stage.server.succeeds(&["user", "disable", "bob"]).await?;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    ensure!(stage.site.get("/login", &bob).await?.text().await?.contains("name=\"password\""));
    let begun = stage.site.get("/login/oidc/test", "").await?;
    let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
    let back = identify(&begun, "bob").await?;
    ensure!(stage.site.get(&back, &attempt).await?.status() == StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn a_login_leads_to_our_own_pages_in_the_readers_language() -> Result<()> {
    let stage = Stage::new().await?;
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "%2F%2Fevil.example",
        "/login%0d%0aX: y",
    ] {
        let begun = stage.site.get(&format!("/login/oidc/test?next={next}"), "").await?;
        let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
        let back = identify(&begun, "alice").await?;
        let done = stage.site.get(&back, &attempt).await?;
        ensure!(done.headers()[LOCATION] == "/login", "{next}: {:?}", done.headers());
    }
    ensure!(stage.site.get("/login/oidc/other", "").await?.status() == StatusCode::NOT_FOUND);
    let request = stage.site.http.get(format!("{}/login", stage.site.base));
    let page = request.header(ACCEPT_LANGUAGE, "zh-CN,en;q=0.5").send().await?.text().await?;
    ensure!(page.contains("lang=\"zh-CN\"") && page.contains("登录镜像仓库"), "{page}");
    // What the configuration calls a service is text.
    ensure!(page.contains("A &lt;b&gt;Test&lt;/b&gt;"), "{page}");
    Ok(())
}

#[tokio::test]
async fn a_password_of_berths_own_lets_a_browser_in() -> Result<()> {
    let stage = Stage::new().await?;
    let page = stage.site.get("/login", "").await?;
    let attempt = cookie(&page, ATTEMPT).context("no cookie")?;
    let csrf = form_token(&page.text().await?)?;
    let wrong = [("csrf", csrf.as_str()), ("name", "carol"), ("password", "wrong")];
    let response = stage.site.post("/login", &attempt, &wrong).await?;
    ensure!(response.status() == StatusCode::UNAUTHORIZED, "{}", response.status());
    ensure!(cookie(&response, SESSION).is_none());
    ensure!(stage.site.post("/login", "", &wrong).await?.status() == StatusCode::FORBIDDEN);
    let forged = [("csrf", "x"), ("name", "carol"), ("password", PASSWORD)];
    ensure!(stage.site.post("/login", &attempt, &forged).await?.status() == StatusCode::FORBIDDEN);
    let right = [("csrf", csrf.as_str()), ("name", "carol"), ("password", PASSWORD)];
    let session =
        cookie(&stage.site.post("/login", &attempt, &right).await?, SESSION).context("not let in")?;
    let page = stage.site.get("/login", &session).await?.text().await?;
    // Who has no account can have no passwords in it.
    ensure!(page.contains("<strong>carol</strong>") && !page.contains("/login/passwords"), "{page}");
    let made = [("csrf", form_token(&page)?), ("name", "x".to_owned()), ("days", "1".to_owned())];
    let made: Vec<(&str, &str)> = made.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ensure!(!stage.site.post("/login/passwords", &session, &made).await?.text().await?.contains("berth_a_"));
    Ok(())
}
