//! Showing credentials: with every request, or once at a token service (distribution's token specification).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

use crate::challenge::Challenge;
use crate::upstream::Inner;
use crate::{Credentials, Error, Result};

/// How long a token is good that does not say so.
const LIFE: u64 = 60;
/// How long a token is used at most, whatever it says.
const LONGEST_LIFE: u64 = 86_400;
/// A token is not used this long before its end.
const MARGIN: Duration = Duration::from_secs(5);
/// Largest answer of a token service.
const ANSWER_BYTES: usize = 1 << 20;

/// What a request may do, as token services call it: `repository:a/b:pull`.
pub(crate) type Scope = String;

/// What is shown to a registry.
#[derive(Debug)]
pub(crate) struct Auth {
    name: Option<String>,
    basic: Option<HeaderValue>,
    /// Whether the registry has asked for them with each request.
    wants_basic: AtomicBool,
    tokens: Mutex<HashMap<Scope, Token>>,
    /// Whoever asks the token service; the others wait for what he gets.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Token {
    header: HeaderValue,
    until: Instant,
}

#[derive(Deserialize)]
#[serde(default)]
struct Answer {
    token: String,
    access_token: String,
    expires_in: u64,
}

impl Default for Answer {
    fn default() -> Self {
        Self { token: String::new(), access_token: String::new(), expires_in: LIFE }
    }
}

impl Auth {
    pub(crate) fn new(credentials: Option<&Credentials>) -> Result<Self> {
        Ok(Self {
            name: credentials.map(|credentials| credentials.name().to_owned()),
            basic: credentials.map(Credentials::header).transpose()?,
            wants_basic: AtomicBool::new(false),
            tokens: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// Returns what to show with a request, as far as the registry has asked for anything yet.
    pub(crate) fn header(&self, scope: &str) -> Option<HeaderValue> {
        let mut tokens = self.tokens.lock();
        match tokens.get(scope) {
            Some(token) if token.until > Instant::now() => return Some(token.header.clone()),
            Some(_) => drop(tokens.remove(scope)),
            None => {}
        }
        self.basic.clone().filter(|_| self.wants_basic.load(Ordering::Relaxed))
    }

    /// Returns the credentials themselves, for what registries offer beside the protocol.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        self.basic.clone()
    }
}

impl Inner {
    /// Does what the challenges of a refusal ask for. Returns whether trying again makes sense.
    pub(crate) async fn answer(
        &self,
        challenges: &HeaderMap,
        scope: &str,
        shown: Option<&HeaderValue>,
    ) -> Result<bool> {
        match Challenge::of(challenges) {
            Some(Challenge::Basic) => {
                let again = self.auth.basic.is_some() && shown != self.auth.basic.as_ref();
                self.auth.wants_basic.store(self.auth.basic.is_some(), Ordering::Relaxed);
                Ok(again)
            }
            Some(Challenge::Bearer { realm, service, scope: wanted }) => {
                let _turn = self.auth.turn.lock().await;
                // Somebody was faster.
                if self.auth.header(scope).is_some_and(|known| Some(&known) != shown) {
                    return Ok(true);
                }
                let token =
                    self.fetch_token(&realm, service.as_deref(), wanted.as_deref().unwrap_or(scope)).await?;
                self.auth.tokens.lock().insert(scope.to_owned(), token);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn fetch_token(&self, realm: &str, service: Option<&str>, scope: &str) -> Result<Token> {
        let what = "the registry's token service";
        let mut url = Url::parse(realm).map_err(|_| Error::protocol(what, "its address is not one"))?;
        self.guard.check(&url).map_err(Error::Forbidden)?;
        let account = self.auth.name.as_deref();
        for (key, value) in [("service", service), ("scope", Some(scope)), ("account", account)] {
            // An empty scope stands for a token that allows nothing but to come in.
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                url.query_pairs_mut().append_pair(key, value);
            }
        }
        let response = self
            .persist(|| {
                let mut request = self.http.get(url.clone());
                if let Some(basic) = &self.auth.basic {
                    request = request.header(AUTHORIZATION, basic.clone());
                }
                async {
                    request
                        .send()
                        .await
                        .map_err(|error| Error::unreachable(crate::address::place(&url), error))
                }
            })
            .await?;
        let begin = Instant::now();
        if !response.status().is_success() {
            return Err(self.refusal(what, response).await);
        }
        let body = self.body(what, response, ANSWER_BYTES).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| Error::protocol(what, "its answer is no token"))?;
        let text = if answer.token.is_empty() { answer.access_token } else { answer.token };
        let header = HeaderValue::try_from(format!("Bearer {text}")).ok().filter(|_| !text.is_empty());
        let mut header = header.ok_or_else(|| Error::protocol(what, "its answer is no token"))?;
        header.set_sensitive(true);
        // The specification's least life, for those that say less than the margin.
        let life = Duration::from_secs(answer.expires_in.clamp(LIFE, LONGEST_LIFE)).saturating_sub(MARGIN);
        Ok(Token { header, until: begin + life })
    }
}
