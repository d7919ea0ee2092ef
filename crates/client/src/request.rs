//! One request: with what has to be shown, along redirects, again after trouble, its answer within bounds.

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode, Url};

use crate::address::place;
use crate::patience::{back_off, retry_after};
use crate::upstream::Inner;
use crate::{Error, Result};

/// Most of a refusal's text that is repeated.
const SAID: usize = 300;
/// Most of a refusal's body that is read.
const SAID_BYTES: usize = 64 << 10;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// What a token must allow.
    pub(crate) scope: String,
    pub(crate) accept: Option<String>,
    /// The value of `Range`.
    pub(crate) range: Option<String>,
}

impl Call {
    pub(crate) fn get(url: Url, scope: &str) -> Self {
        Self { method: Method::GET, url, scope: scope.to_owned(), accept: None, range: None }
    }

    fn headers(&self) -> HeaderMap {
        let pairs = [(ACCEPT, &self.accept), (RANGE, &self.range)];
        let values = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value.as_deref()?).ok()?)));
        values.collect()
    }
}

impl Inner {
    /// Makes the address of something below `/v2/`.
    pub(crate) fn url(&self, below: &str) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}/v2/{below}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Asks, and returns the answer whatever its status is, unless that is one of trouble.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response> {
        self.persist(|| self.attempt(call)).await
    }

    /// Tries until there is an answer that is not one of trouble.
    pub(crate) async fn persist<F: Future<Output = Result<Response>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<Response> {
        let mut tries = 0;
        loop {
            self.patience.wait().await;
            tries += 1;
            let is_last = tries >= self.limits.tries;
            let wait = match ask().await {
                Ok(response) if is_trouble(response.status()) => {
                    let told = retry_after(response.headers());
                    let busy =
                        Error::Busy { place: place(response.url()), status: response.status().as_u16() };
                    if is_last || told.is_some_and(|told| told > self.limits.wait) {
                        return Err(busy);
                    }
                    if let Some(told) = told {
                        // What it says to one it says to all.
                        self.patience.rest(told);
                    }
                    back_off(tries)
                }
                Err(error) if error.is_outage() && !is_last => back_off(tries),
                ended => return ended,
            };
            tracing::debug!(tries, ?wait, "the registry is in trouble, trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks once, and once more with what the registry wants to be shown.
    async fn attempt(&self, call: &Call) -> Result<Response> {
        let shown = self.auth.header(&call.scope);
        let response = self.follow(call, shown.clone()).await?;
        let is_ours = self.is_ours(response.url());
        if response.status() != StatusCode::UNAUTHORIZED || !is_ours {
            return Ok(response);
        }
        let headers = response.headers().clone();
        if self.answer(&headers, &call.scope, shown.as_ref()).await? {
            drop(response);
            return self.follow(call, self.auth.header(&call.scope)).await;
        }
        Ok(response)
    }

    /// Asks along redirects. Only the registry itself is shown anything.
    pub(crate) async fn follow(&self, call: &Call, shown: Option<HeaderValue>) -> Result<Response> {
        let mut url = call.url.clone();
        for _ in 0..=self.limits.redirects {
            self.guard.check(&url).map_err(Error::Forbidden)?;
            let mut request = self.http.request(call.method.clone(), url.clone()).headers(call.headers());
            if let Some(shown) = shown.clone().filter(|_| self.is_ours(&url)) {
                request = request.header(AUTHORIZATION, shown);
            }
            let response = request.send().await.map_err(|error| Error::unreachable(place(&url), error))?;
            let target = response.headers().get(LOCATION).filter(|_| is_redirect(response.status()));
            let Some(target) = target else { return Ok(response) };
            let target = target.to_str().ok().and_then(|target| url.join(target).ok());
            url = target
                .ok_or_else(|| Error::protocol(call.url.path(), "it is redirected to what is no address"))?;
        }
        Err(Error::protocol(
            call.url.path(),
            format!("it is redirected more than {} times", self.limits.redirects),
        ))
    }

    /// Tells whether an address is the registry's own: same scheme, host and port.
    pub(crate) fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Reads an answer to its end.
    pub(crate) async fn body(&self, what: &str, mut response: Response, limit: usize) -> Result<Bytes> {
        let at = place(response.url());
        let mut body = BytesMut::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Error::unreachable(at.clone(), error))?
        {
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge { what: what.to_owned(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Turns an answer that is a refusal into an error.
    pub(crate) async fn refusal(&self, what: &str, response: Response) -> Error {
        let status = response.status();
        let said = self.body(what, response, SAID_BYTES).await.unwrap_or_default();
        let (what, said, status) = (what.to_owned(), message(&said), status.as_u16());
        if matches!(status, 401 | 403) {
            return Error::Denied { what, status, said };
        }
        Error::Refused { what, status, said }
    }
}

/// Takes the registry's own words out of a refusal, on one line and not too many.
fn message(body: &[u8]) -> String {
    let errors = serde_json::from_slice::<berth_oci::ErrorBody>(body);
    let text = match errors {
        Ok(errors) => {
            let all = errors.errors.iter().map(|error| format!("{} {}", error.code, error.message));
            all.collect::<Vec<_>>().join(", ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().filter(|char| !char.is_control()).take(SAID).collect();
    if short.is_empty() { "it says no more".to_owned() } else { short }
}

fn is_trouble(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
