//! An issuer: where its parts are, and the keys that it signs with now.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{SettingsError, read};
use crate::http::{self, Http};
use crate::keys::{Document, Keys};
use crate::token::{Claims, Header, TokenError};

/// How long what an issuer says of itself and its keys is used without asking again.
const FRESH: Duration = Duration::from_mins(15);
/// How long it is used when the issuer can't be asked.
const STALE: Duration = Duration::from_hours(24);
/// How long to wait before asking again for a key that was not there, or after a failure.
const PAUSE: Duration = Duration::from_secs(10);

/// What an issuer says of itself (`OpenID` Connect Discovery 1.0 section 3).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    jwks_uri: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) token_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 9207: it says who it is when it sends the user back.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// An issuer that the configuration trusts.
pub(crate) struct Issuer {
    name: String,
    http: Http,
    /// Keys from a file, which never change.
    fixed: Option<Arc<Known>>,
    known: ArcSwapOption<Known>,
    /// Whoever asks; the others wait for what he gets. When it was tried last, and the failure.
    turn: Mutex<Option<(Instant, Option<String>)>>,
}

/// What is known of an issuer.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) metadata: Metadata,
    keys: Keys,
    at: Instant,
}

/// Why a token was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It proves nothing.
    Wrong(TokenError),
    /// The issuer can't be asked for its keys.
    Unreachable(String),
}

impl Issuer {
    /// Prepares to ask the issuer that the configuration names in `part`. Asks nothing yet.
    pub(crate) fn new(
        part: &str,
        name: &str,
        ca_file: Option<&Path>,
        keys_file: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let url = http::issuer(part, name)?;
        let http = Http::new(part, &url, ca_file)?;
        let fixed = keys_file.map(|file| fixed(part, name, file)).transpose()?.map(Arc::new);
        Ok(Self { name: name.to_owned(), http, fixed, known: ArcSwapOption::empty(), turn: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Returns what the issuer says of itself.
    pub(crate) async fn known(&self) -> Result<Arc<Known>, String> {
        self.at_least(None).await
    }

    /// Checks who signed a token, and reads it. When it is good for is for the caller to check.
    pub(crate) async fn read(&self, token: &str) -> Result<Claims, Unread> {
        let header = Header::parse(token).map_err(Unread::Wrong)?;
        let mut known = self.known().await.map_err(Unread::Unreachable)?;
        if known.keys.find(header.key.as_deref(), header.algorithm).is_none() {
            // It may have been made since. Whoever sends tokens with made-up keys makes us ask once in a while.
            known = self.at_least(Some(known.at)).await.map_err(Unread::Unreachable)?;
        }
        let claims = Claims::verified(token, &known.keys).map_err(Unread::Wrong)?;
        if claims.text("iss") != Some(&self.name) {
            return Err(Unread::Wrong(TokenError::Missing("the issuer that was expected (iss)")));
        }
        Ok(claims)
    }

    /// Returns what is known, newer than `than` if it may be asked for again.
    async fn at_least(&self, than: Option<Instant>) -> Result<Arc<Known>, String> {
        if let Some(fixed) = &self.fixed {
            return Ok(Arc::clone(fixed));
        }
        let fits = |known: &Arc<Known>| match than {
            Some(than) => known.at > than,
            None => known.at.elapsed() < FRESH,
        };
        if let Some(known) = self.known.load_full().filter(fits) {
            return Ok(known);
        }
        let mut turn = self.turn.lock().await;
        let last = self.known.load_full();
        if let Some(known) = last.clone().filter(fits) {
            return Ok(known);
        }
        let usable = last.filter(|known| known.at.elapsed() < STALE);
        if let Some((at, failure)) = turn.as_ref()
            && at.elapsed() < PAUSE
        {
            return match (usable, failure) {
                (Some(known), _) => Ok(known),
                (None, failure) => Err(failure.clone().unwrap_or_default()),
            };
        }
        let asked = self.ask().await;
        *turn = Some((Instant::now(), asked.as_ref().err().cloned()));
        match (asked, usable) {
            (Ok(known), _) => {
                let known = Arc::new(known);
                self.known.store(Some(Arc::clone(&known)));
                Ok(known)
            }
            (Err(error), Some(known)) => {
                tracing::warn!(issuer = self.name, error, "issuer can't be asked; its last keys stay in use");
                Ok(known)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn ask(&self) -> Result<Known, String> {
        let url = format!("{}/.well-known/openid-configuration", self.name.trim_end_matches('/'));
        let metadata: Metadata = self.http.get(&url, None).await?;
        if metadata.issuer != self.name {
            return Err(format!(
                "{url} says that its issuer is {:?}: write exactly that into the configuration, if it is right",
                crate::name::printable(&metadata.issuer, 200)
            ));
        }
        let document: Document = self.http.get(&metadata.jwks_uri, None).await?;
        let keys = Keys::new(&document);
        if keys.is_empty() {
            return Err(format!("{} holds no key that can be used", metadata.jwks_uri));
        }
        Ok(Known { metadata, keys, at: Instant::now() })
    }
}

fn fixed(part: &str, issuer: &str, file: &Path) -> Result<Known, SettingsError> {
    let text = read(part, file)?;
    let document = serde_json::from_str::<Document>(&text).map(|document| Keys::new(&document));
    let keys = document.ok().filter(|keys| !keys.is_empty()).ok_or_else(|| {
        let problem = format!("{} holds no JWK set with a public key that can be used", file.display());
        SettingsError::new(part, problem)
    })?;
    let metadata = Metadata {
        issuer: issuer.to_owned(),
        jwks_uri: String::new(),
        authorization_endpoint: None,
        token_endpoint: None,
        userinfo_endpoint: None,
        token_endpoint_auth_methods_supported: Vec::new(),
        authorization_response_iss_parameter_supported: false,
    };
    Ok(Known { metadata, keys, at: Instant::now() })
}

impl Metadata {
    /// Makes the address at which the user logs in.
    pub(crate) fn authorization(&self, http: &Http, query: &[(&str, &str)]) -> Result<Url, String> {
        let endpoint = self.authorization_endpoint.as_deref();
        let mut url = http.check(endpoint.ok_or("the issuer names no authorization_endpoint")?)?;
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }
}
