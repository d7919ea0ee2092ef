//! Logging in at a service with a browser, and with a client by the password made there.

use anyhow::{Context as _, Result, ensure};
use berth_engines::{OidcProvider, free_port};
use reqwest::header::{ACCEPT_LANGUAGE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client as Http, Response, StatusCode, Url};

use super::browser;
use super::{Client, DENIED};
use crate::harness::{PASSWORD, Server, Setup};

const SESSION: &str = "__Host-berth_session";
const ATTEMPT: &str = "__Host-berth_login";

/// A server at which one may log in at a service, and what a browser knows of it.
struct Stage {
    server: Server,
    _provider: OidcProvider,
    http: Http,
    base: String,
    client: Client,
}

impl Stage {
    async fn new() -> Result<Self> {
        let client = Client::new()?;
        let secret = client.home.write("secret", "berth-secret")?;
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}");
        let provider = OidcProvider::start(&format!("{base}/login/oidc/test/callback"));
        let hash = client.home.hash(PASSWORD).await?;
        let config = format!(
            "access:
  anonymous: none
  users: [{{name: carol, password: '{hash}', access: read}}]
  public_url: {base}
  oidc:
    - {{name: test, label: \"A <b>Test</b>\", issuer: \"{}\", client_id: berth, client_secret_file: {}}}
  bindings:
    - role: maintainer
      subjects: [\"group:builders\"]
      project: team
",
            provider.issuer(),
            secret.display()
        );
        let server = Setup::default().with_config(&config).on_port(port).start().await?;
        server.succeeds(&["project", "create", "team"]).await?;
        let http = Http::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { server, _provider: provider, http, base, client })
    }

    async fn get(&self, path: &str, cookies: &str) -> Result<Response> {
        Ok(self.http.get(format!("{}{path}", self.base)).header(COOKIE, cookies).send().await?)
    }

    async fn post(&self, path: &str, cookies: &str, form: &[(&str, &str)]) -> Result<Response> {
        let body = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>();
        let request = self.http.post(format!("{}{path}", self.base)).header(COOKIE, cookies);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Ok(request.body(body.join("&")).send().await?)
    }

    /// Goes through the whole login and returns the session's cookie.
    async fn log_in(&self, name: &str) -> Result<String> {
        let begun = self.get("/login/oidc/test", "").await?;
        let attempt = cookie(&begun, ATTEMPT).context("no cookie for the login")?;
        let back = browser::log_in(location(&begun)?, &self.base, name, "x").await;
        let done = self.get(&path(&back), &attempt).await?;
        ensure!(done.status() == StatusCode::SEE_OTHER, "{}: {}", done.status(), done.text().await?);
        ensure!(done.headers()[LOCATION] == "/login");
        cookie(&done, SESSION).context("no cookie for the session")
    }
}

/// Encodes every byte of a form's value.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
}

fn digit(four_bits: u8) -> char {
    char::from_digit(four_bits.into(), 16).unwrap_or('0')
}

fn path(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

fn location(response: &Response) -> Result<Url> {
    let target = response.headers().get(LOCATION).context("it leads nowhere")?;
    Ok(Url::parse(target.to_str()?)?)
}

/// Finds a cookie that is handed out, as `name=value`, and checks that nobody else gets at it.
fn cookie(response: &Response, name: &str) -> Option<String> {
    let mut all = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.rfind(|cookie| cookie.starts_with(&format!("{name}=")))?;
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(found.contains(part), "{found}");
    }
    found.split(';').next().map(str::to_owned)
}

/// What hides in the page's first form.
fn token(page: &str) -> Result<String> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").context("the page has no form")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_password_made_after_a_login_lets_docker_in() -> Result<()> {
    let stage = Stage::new().await?;
    let session = stage.log_in("alice").await?;
    let response = stage.get("/login", &session).await?;
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

    let csrf = token(&page)?;
    let form = [("csrf", csrf.as_str()), ("name", "<laptop>"), ("days", "7")];
    let page = stage.post("/login/passwords", &session, &form).await?.text().await?;
    let (_, rest) = page.split_once("<code>").context("no password is shown")?;
    let password = rest.split("</code>").next().unwrap_or_default().to_owned();
    ensure!(password.starts_with("berth_a_"), "{page}");
    let listed = stage.get("/login", &session).await?.text().await?;
    ensure!(listed.contains("&lt;laptop&gt;") && !listed.contains(&password), "{listed}");

    // It outlives the session.
    ensure!(stage.post("/login/out", &session, &[("csrf", &csrf)]).await?.status() == StatusCode::SEE_OTHER);
    ensure!(!stage.get("/login", &session).await?.text().await?.contains("builders"));
    ensure!(stage.client.log_in(&stage.server, "alice", &password).await?);
    stage.client.push(&stage.server, "team/app:1").await?;
    stage.client.push_fails(&stage.server, "other/app:1", DENIED).await?;

    // Its owner ends it.
    let session = stage.log_in("alice").await?;
    let page = stage.get("/login", &session).await?.text().await?;
    let (_, rest) = page.split_once("/login/passwords/").context("nothing to end")?;
    let id = rest.split('"').next().unwrap_or_default();
    let ended = stage.post(&format!("/login/passwords/{id}"), &session, &[("csrf", &token(&page)?)]).await?;
    ensure!(ended.status() == StatusCode::SEE_OTHER);
    ensure!(!stage.client.log_in(&stage.server, "alice", &password).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_else_can_use_a_login() -> Result<()> {
    let stage = Stage::new().await?;
    // A login that this browser did not begin.
    let begun = stage.get("/login/oidc/test", "").await?;
    let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
    let back = path(&browser::log_in(location(&begun)?, &stage.base, "alice", "x").await);
    for cookies in ["", &format!("{ATTEMPT}=x"), &format!("{ATTEMPT}={}.L2xvZ2lu", "A".repeat(43))] {
        let response = stage.get(&back, cookies).await?;
        ensure!(response.status() == StatusCode::FORBIDDEN, "{}", response.status());
        ensure!(cookie(&response, SESSION).is_none());
    }
    ensure!(cookie(&stage.get(&back, &attempt).await?, SESSION).is_some());
    // And one that is over.
    ensure!(stage.get(&back, &attempt).await?.status() == StatusCode::BAD_GATEWAY);

    // Forms from elsewhere, and of others.
    let (alice, bob) = (stage.log_in("alice").await?, stage.log_in("bob").await?);
    let (of_alice, of_bob) =
        (stage.get("/login", &alice).await?.text().await?, stage.get("/login", &bob).await?.text().await?);
    for csrf in ["", "x", &token(&of_bob)?] {
        let response =
            stage.post("/login/passwords", &alice, &[("csrf", csrf), ("name", "x"), ("days", "1")]).await?;
        ensure!(response.status() == StatusCode::FORBIDDEN, "{}", response.status());
    }
    let csrf = token(&of_alice)?;
    let url = format!("{}/login/passwords", stage.base);
    let foreign = stage.http.post(url).header(COOKIE, &alice).header("origin", "https://evil.example");
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded");
    let response = foreign.body(format!("csrf={csrf}&name=x&days=1")).send().await?;
    ensure!(response.status() == StatusCode::FORBIDDEN);
    // A password of somebody else's can't be ended, nor be told from one that is not there.
    let made = [("csrf", csrf.as_str()), ("name", "mine"), ("days", "1")];
    ensure!(stage.post("/login/passwords", &alice, &made).await?.status() == StatusCode::OK);
    let csrf = token(&of_bob)?;
    let (theirs, none) = (
        stage.post("/login/passwords/1", &bob, &[("csrf", &csrf)]).await?,
        stage.post("/login/passwords/9", &bob, &[("csrf", &csrf)]).await?,
    );
    ensure!(theirs.status() == none.status());
    ensure!(stage.get("/login", &alice).await?.text().await?.contains("mine"));

    // Made-up sessions, and a disabled user's.
    for session in [format!("{SESSION}="), format!("{SESSION}=berth_s_{}", "0".repeat(49))] {
        ensure!(stage.get("/login", &session).await?.text().await?.contains("name=\"password\""));
    }
    stage.server.succeeds(&["user", "disable", "bob"]).await?;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    ensure!(stage.get("/login", &bob).await?.text().await?.contains("name=\"password\""));
    let begun = stage.get("/login/oidc/test", "").await?;
    let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
    let back = browser::log_in(location(&begun)?, &stage.base, "bob", "x").await;
    ensure!(stage.get(&path(&back), &attempt).await?.status() == StatusCode::FORBIDDEN);
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
        let begun = stage.get(&format!("/login/oidc/test?next={next}"), "").await?;
        let attempt = cookie(&begun, ATTEMPT).context("no cookie")?;
        let back = browser::log_in(location(&begun)?, &stage.base, "alice", "x").await;
        let done = stage.get(&path(&back), &attempt).await?;
        ensure!(done.headers()[LOCATION] == "/login", "{next}: {:?}", done.headers());
    }
    ensure!(stage.get("/login/oidc/other", "").await?.status() == StatusCode::NOT_FOUND);
    let request = stage.http.get(format!("{}/login", stage.base));
    let page = request.header(ACCEPT_LANGUAGE, "zh-CN,en;q=0.5").send().await?.text().await?;
    ensure!(page.contains("lang=\"zh-CN\"") && page.contains("登录镜像仓库"), "{page}");
    // What the configuration calls a service is text.
    ensure!(page.contains("A &lt;b&gt;Test&lt;/b&gt;"), "{page}");
    Ok(())
}

#[tokio::test]
async fn a_password_of_berths_own_lets_a_browser_in() -> Result<()> {
    let stage = Stage::new().await?;
    let page = stage.get("/login", "").await?;
    let attempt = cookie(&page, ATTEMPT).context("no cookie")?;
    let csrf = token(&page.text().await?)?;
    let wrong = [("csrf", csrf.as_str()), ("name", "carol"), ("password", "wrong")];
    let response = stage.post("/login", &attempt, &wrong).await?;
    ensure!(response.status() == StatusCode::UNAUTHORIZED, "{}", response.status());
    ensure!(cookie(&response, SESSION).is_none());
    ensure!(stage.post("/login", "", &wrong).await?.status() == StatusCode::FORBIDDEN);
    let forged = [("csrf", "x"), ("name", "carol"), ("password", PASSWORD)];
    ensure!(stage.post("/login", &attempt, &forged).await?.status() == StatusCode::FORBIDDEN);
    let right = [("csrf", csrf.as_str()), ("name", "carol"), ("password", PASSWORD)];
    let session = cookie(&stage.post("/login", &attempt, &right).await?, SESSION).context("not let in")?;
    let page = stage.get("/login", &session).await?.text().await?;
    // Who has no account can have no passwords in it.
    ensure!(page.contains("<strong>carol</strong>") && !page.contains("/login/passwords"), "{page}");
    let made = [("csrf", token(&page)?), ("name", "x".to_owned()), ("days", "1".to_owned())];
    let made: Vec<(&str, &str)> = made.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ensure!(!stage.post("/login/passwords", &session, &made).await?.text().await?.contains("berth_a_"));
    Ok(())
}
