//! A password that somebody else chose is changed by its owner, in a browser without scripts.

use anyhow::{Context as _, Result, ensure};
use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};

use crate::harness::{Server, Setup};

struct Browser {
    client: reqwest::Client,
    base: String,
}

impl Browser {
    fn new(server: &Server) -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { client, base: format!("http://{}", server.host()) })
    }

    /// Reads a page and sends its form, with the cookie that came with it.
    async fn send(&self, page: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
        let shown = self.client.get(format!("{}{page}", self.base)).send().await?;
        let cookie = cookie_of(&shown).context("no cookie")?;
        let text = shown.text().await?;
        let (_, rest) = text.split_once("name=\"csrf\" value=\"").context("no form")?;
        let csrf = rest.split('"').next().unwrap_or_default();
        let form = [&[("csrf", csrf)], fields].concat();
        let sent = self.client.post(format!("{}{page}", self.base)).header(COOKIE, cookie).form(&form);
        let answer = sent.send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

fn cookie_of(response: &Response) -> Option<String> {
    let cookie = response.headers().get(SET_COOKIE)?.to_str().ok()?;
    Some(cookie.split(';').next()?.to_owned())
}

#[tokio::test]
async fn is_changed_by_its_owner_before_the_first_login() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let first = server.succeeds(&["user", "add", "alice", "--generate"]).await?.trim().to_owned();
    let browser = Browser::new(&server)?;
    let login = |password| [("name", "alice"), ("password", password)];
    let (status, page) = browser.send("/login", &login(&first)).await?;
    ensure!(status == 403 && page.contains("must be changed"), "{status} {page}");
    ensure!(page.contains("action=\"/login/password\"") && page.contains("value=\"alice\""), "{page}");
    ensure!(!page.contains(&first), "a page holds a password: {page}");

    let own = "Harbour-of-Mine-9";
    let change = |old, new, again| [("name", "alice"), ("old", old), ("new", new), ("again", again)];
    for (fields, status, said) in [
        (change("wrong-Wrong-1", own, own), 401, "Wrong name"),
        (change(&first, own, "Harbour-of-Mine-8"), 400, "not the same"),
        (change(&first, "short", "short"), 400, "has 5 characters, and needs 8"),
        (change(&first, &first, &first), 400, "password"),
    ] {
        let (found, page) = browser.send("/login/password", &fields).await?;
        ensure!(found == status && page.contains(said), "{found} instead of {status}: {page}");
    }
    let (status, page) = browser.send("/login/password", &change(&first, own, own)).await?;
    ensure!(status == 200 && page.contains("is changed"), "{status} {page}");
    let (status, page) = browser.send("/login", &login(own)).await?;
    ensure!(status == 303, "{status} {page}");
    ensure!(browser.send("/login", &login(&first)).await?.0 == 401, "the first password is still good");
    Ok(())
}

#[tokio::test]
async fn no_other_page_can_change_it() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let browser = Browser::new(&server)?;
    let fields = [("name", "alice"), ("old", "a"), ("new", "b"), ("again", "b"), ("csrf", "made-up")];
    let sent = browser.client.post(format!("{}/login/password", browser.base)).form(&fields);
    ensure!(sent.send().await?.status() == 403);
    Ok(())
}
