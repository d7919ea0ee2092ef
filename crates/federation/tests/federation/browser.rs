//! A browser without scripts: follows redirects, keeps cookies, fills in forms.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

/// More steps than any login has.
const MOST: usize = 20;

/// Logs in as `name` at the page `begin` leads to, and returns the address at which the browser is sent to `end`.
pub(crate) async fn log_in(begin: Url, end: &str, name: &str, password: &str) -> Url {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let mut cookies = BTreeMap::new();
    let mut url = begin;
    let mut form: Option<Vec<(String, String)>> = None;
    for _ in 0..MOST {
        if url.as_str().starts_with(end) {
            return url;
        }
        let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form.take() {
            Some(fields) => client.post(url.clone()).form(&fields),
            None => client.get(url.clone()),
        };
        let response = request.header(COOKIE, jar.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        if let Some(target) = response.headers().get(LOCATION) {
            url = url.join(target.to_str().unwrap()).unwrap();
            continue;
        }
        let (status, page) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{url}: {status}\n{page}");
        let found = page.find("<form").unwrap_or_else(|| panic!("{url} has no form:\n{page}"));
        let page = &page[found..];
        url = url.join(&attribute(page, "action").unwrap_or_default()).unwrap();
        form = Some(fields(page, name, password));
    }
    panic!("the login does not end")
}

fn fields(form: &str, name: &str, password: &str) -> Vec<(String, String)> {
    let form = &form[..form.find("</form>").unwrap()];
    let inputs = form.split("<input").skip(1).map(|rest| &rest[..rest.find('>').unwrap()]);
    let named = inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value"))));
    named
        .map(|(field, value)| match field.as_str() {
            "login" | "username" => (field, name.to_owned()),
            "password" => (field, password.to_owned()),
            _ => (field, value.unwrap_or_default()),
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest[..rest.find('"')?].replace("&amp;", "&"))
}
