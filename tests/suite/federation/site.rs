//! What a browser sees of Berth's own pages, and what lies behind them.

use anyhow::{Context as _, Result, ensure};
use berth_engines::OidcProvider;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};

use super::browser;
use crate::harness::Authority;

pub(crate) const SESSION: &str = "__Host-berth_session";
pub(crate) const ATTEMPT: &str = "__Host-berth_login";
/// What servers take for their address where [`OidcProvider::shared`] sends users back to it.
pub(crate) const PUBLIC_URL: &str = "https://berth.test";

/// The pages of a server.
pub(crate) struct Site {
    pub(crate) http: Client,
    pub(crate) base: String,
}

impl Site {
    /// The pages at an address, whose certificate an authority signed if one is given.
    pub(crate) fn new(base: &str, authority: Option<&Authority>) -> Result<Self> {
        // Fails when another test was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pem = authority.map(|authority| std::fs::read(authority.ca_file())).transpose()?;
        let roots = pem.map(|pem| Certificate::from_pem(&pem)).transpose()?;
        let http = Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only(roots).build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    pub(crate) async fn get(&self, path: &str, cookies: &str) -> Result<Response> {
        Ok(self.http.get(format!("{}{path}", self.base)).header(COOKIE, cookies).send().await?)
    }

    pub(crate) async fn post(&self, path: &str, cookies: &str, form: &[(&str, &str)]) -> Result<Response> {
        let body = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>();
        let request = self.http.post(format!("{}{path}", self.base)).header(COOKIE, cookies);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Ok(request.body(body.join("&")).send().await?)
    }

    /// Goes through the whole login at service `test` and returns the session's cookie.
    pub(crate) async fn log_in(&self, name: &str) -> Result<String> {
        let begun = self.get("/login/oidc/test", "").await?;
        let attempt = cookie(&begun, ATTEMPT).context("no cookie for the login")?;
        let done = self.get(&identify(&begun, name).await?, &attempt).await?;
        ensure!(done.status() == StatusCode::SEE_OTHER, "{}: {}", done.status(), done.text().await?);
        ensure!(done.headers()[LOCATION] == "/login");
        cookie(&done, SESSION).context("no cookie for the session")
    }

    /// Makes a password for a client, as the page does, and reads it there.
    pub(crate) async fn make_password(&self, session: &str, name: &str) -> Result<String> {
        let csrf = form_token(&self.get("/login", session).await?.text().await?)?;
        let form = [("csrf", csrf.as_str()), ("name", name), ("days", "7")];
        let page = self.post("/login/passwords", session, &form).await?.text().await?;
        let (_, rest) = page.split_once("<code>").context("no password is shown")?;
        let password = rest.split("</code>").next().unwrap_or_default().to_owned();
        ensure!(password.starts_with("berth_a_"), "{page}");
        Ok(password)
    }
}

/// Goes on from a login that has begun to the service, is `name` there, and returns where at Berth that leads.
pub(crate) async fn identify(begun: &Response, name: &str) -> Result<String> {
    let target = begun.headers().get(LOCATION).context("it leads nowhere")?;
    let back = browser::log_in(Url::parse(target.to_str()?)?, PUBLIC_URL, name, "x").await;
    ensure!(back.as_str().starts_with(OidcProvider::BACK), "{back}");
    Ok(format!("{}?{}", back.path(), back.query().unwrap_or_default()))
}

/// Encodes every byte of a form's value.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
}

fn digit(four_bits: u8) -> char {
    char::from_digit(four_bits.into(), 16).unwrap_or('0')
}

/// Finds a cookie that is handed out, as `name=value`, and checks that nobody else gets at it.
pub(crate) fn cookie(response: &Response, name: &str) -> Option<String> {
    let mut all = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.rfind(|cookie| cookie.starts_with(&format!("{name}=")))?;
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(found.contains(part), "{found}");
    }
    found.split(';').next().map(str::to_owned)
}

/// What hides in the page's first form.
pub(crate) fn form_token(page: &str) -> Result<String> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").context("the page has no form")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
