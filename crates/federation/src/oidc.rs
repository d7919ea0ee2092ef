//! Login at another service in the browser: authorisation code with PKCE, state and nonce (`OpenID` Connect Core 1.0 section 3.1).

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use berth_access::federation::{Oidc as Settings, Proven, Source};
use berth_access::{Secrets, user_name_problem};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::credential::Credential;
use crate::error::{LoginError, SettingsError};
use crate::issuer::{Issuer, Known, Unread};
use crate::name::printable;
use crate::token::Claims;

mod attempt;

pub use attempt::Attempt;

/// Longest display name or address that is kept.
const MOST: usize = 200;
/// Most groups that a user is in.
const GROUPS: usize = 1_000;

/// A service at which users log in with their browser.
pub struct LoginService {
    settings: Settings,
    issuer: Issuer,
    secret: Option<Credential>,
    redirect: String,
}

/// What a service says when it sends the user back: the query of the address.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What the tokens are to be had for.
    pub code: Option<String>,
    /// What came along when the user was sent there.
    pub state: Option<String>,
    /// Who the service says to be (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl LoginService {
    /// Prepares the services of the configuration, which send users back to `public_url`. Asks nobody yet. `secrets` are those that
    /// the configuration may name.
    pub fn all(
        settings: &[Settings],
        public_url: Option<&str>,
        secrets: Option<&Secrets>,
    ) -> Result<Vec<Self>, SettingsError> {
        let mut names = HashSet::new();
        settings
            .iter()
            .map(|one| {
                let part = format!("oidc {:?}", one.name);
                let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
                if one.name.is_empty() || !one.name.chars().all(is_name) {
                    return Err(SettingsError::new(
                        part,
                        "give it a name of lower-case letters, digits and -",
                    ));
                }
                if !names.insert(&one.name) {
                    return Err(SettingsError::new(part, "there are two of this name"));
                }
                let Some(url) = public_url else {
                    let problem = "needs access.public_url, to which it sends users back";
                    return Err(SettingsError::new(part, problem));
                };
                Self::new(&part, one, url, secrets)
            })
            .collect()
    }

    fn new(
        part: &str,
        settings: &Settings,
        public_url: &str,
        secrets: Option<&Secrets>,
    ) -> Result<Self, SettingsError> {
        if settings.client_id.is_empty() {
            return Err(SettingsError::new(part, "client_id is empty: register Berth there"));
        }
        if !settings.scopes.iter().any(|scope| scope == "openid") {
            return Err(SettingsError::new(
                part,
                "scopes must have openid, else there is no proof of who it is",
            ));
        }
        let file = ("client_secret_file", settings.client_secret_file.as_deref());
        let name = ("stored_client_secret", settings.stored_client_secret.as_deref());
        let secret = Credential::new(part, file, name, secrets)?;
        let path = format!("login/oidc/{}/callback", settings.name);
        Ok(Self {
            issuer: Issuer::new(part, &settings.issuer, settings.ca_file.as_deref(), None)?,
            redirect: format!("{}/{path}", public_url.trim_end_matches('/')),
            secret,
            settings: settings.clone(),
        })
    }

    /// Its name in addresses.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What the login page calls it.
    pub fn label(&self) -> &str {
        self.settings.label.as_deref().unwrap_or(&self.settings.name)
    }

    /// Returns where to send the browser that `attempt` was given to.
    pub async fn begin(&self, attempt: &Attempt) -> Result<Url, LoginError> {
        let known = self.known().await?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(attempt.verifier(self.name())));
        let query = [
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.redirect),
            ("scope", &self.settings.scopes.join(" ")),
            ("state", &attempt.state(self.name())),
            ("nonce", &attempt.nonce(self.name())),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        known.metadata.authorization(self.issuer.http(), &query).map_err(LoginError::Unavailable)
    }

    /// Finds out who the user is that came back with `answer` to the browser that `attempt` was given to.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Proven, LoginError> {
        let expected = attempt.state(self.name());
        let given = answer.state.as_deref().unwrap_or_default();
        if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return Err(LoginError::NotBegun);
        }
        let known = self.known().await?;
        let must_say_who = known.metadata.authorization_response_iss_parameter_supported;
        match answer.iss.as_deref() {
            None if !must_say_who => {}
            Some(iss) if iss == self.issuer.name() => {}
            _ => return Err(LoginError::NotBegun),
        }
        if let Some(error) = &answer.error {
            let words = answer.error_description.as_deref().unwrap_or(error);
            return Err(LoginError::Refused(printable(words, MOST)));
        }
        let code = answer.code.as_deref().ok_or(LoginError::NotBegun)?;
        let tokens = self.redeem(&known, attempt, code).await?;
        let claims = self.identity(attempt, &tokens, now).await?;
        let claims = self.with_user_info(&known, &tokens, claims).await?;
        self.proven(&claims)
    }

    async fn known(&self) -> Result<std::sync::Arc<Known>, LoginError> {
        self.issuer.known().await.map_err(LoginError::Unavailable)
    }

    /// Gets the tokens for a code.
    async fn redeem(&self, known: &Known, attempt: &Attempt, code: &str) -> Result<Tokens, LoginError> {
        let none = || LoginError::Unavailable("the issuer names no token_endpoint".to_owned());
        let endpoint = known.metadata.token_endpoint.as_deref().ok_or_else(none)?;
        let verifier = attempt.verifier(self.name());
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("client_id", &self.settings.client_id),
            ("code_verifier", &verifier),
        ];
        // RFC 6749 section 2.3.1: both are encoded as in a form before they become Basic credentials.
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let secret = match &self.secret {
            Some(secret) => Some(secret.reveal().await.map_err(LoginError::Unavailable)?),
            None => None,
        };
        let basic = secret.as_deref().map(|secret| (encoded(&self.settings.client_id), encoded(secret)));
        let methods = &known.metadata.token_endpoint_auth_methods_supported;
        let takes_basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let basic = basic.filter(|_| takes_basic);
        if let (Some(secret), None) = (&secret, &basic) {
            form.push(("client_secret", secret));
        }
        let basic = basic.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
        self.issuer.http().post(endpoint, &form, basic).await.map_err(LoginError::Unavailable)
    }

    /// Reads the ID token: made by this issuer, for us, now, and for this login.
    async fn identity(
        &self,
        attempt: &Attempt,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<Claims, LoginError> {
        let wrong = |what: String| LoginError::Unavailable(format!("its ID token can't be used: {what}"));
        let token = tokens.id_token.as_deref().ok_or_else(|| wrong("there is none".to_owned()))?;
        let claims = self.issuer.read(token).await.map_err(|error| match error {
            Unread::Wrong(error) => wrong(error.to_string()),
            Unread::Unreachable(reason) => LoginError::Unavailable(reason),
        })?;
        claims.check_times(now).map_err(|error| wrong(error.to_string()))?;
        let (client, audiences) = (&self.settings.client_id, claims.texts("aud"));
        let authorized = claims.text("azp");
        let is_for_us = audiences.contains(client)
            && authorized.is_none_or(|party| party == client)
            && (audiences.len() == 1 || authorized.is_some());
        if !is_for_us {
            return Err(wrong("it is made for another client".to_owned()));
        }
        let nonce = claims.text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(attempt.nonce(self.name()).as_bytes())) {
            return Err(wrong("it is of another login".to_owned()));
        }
        Ok(claims)
    }

    /// Asks what the ID token does not say.
    async fn with_user_info(
        &self,
        known: &Known,
        tokens: &Tokens,
        claims: Claims,
    ) -> Result<Claims, LoginError> {
        let wanted = [&self.settings.name_claim, &self.settings.groups_claim];
        let (Some(endpoint), Some(token)) = (&known.metadata.userinfo_endpoint, &tokens.access_token) else {
            return Ok(claims);
        };
        if wanted.into_iter().all(|claim| claims.find(claim).is_some()) {
            return Ok(claims);
        }
        let more: Map<String, Value> =
            self.issuer.http().get(endpoint, Some(token)).await.map_err(LoginError::Unavailable)?;
        // OpenID Connect Core 1.0 section 5.3.2: else they may speak of somebody else.
        if more.get("sub").and_then(Value::as_str) != claims.text("sub") {
            return Err(LoginError::Unavailable("userinfo speaks of another user".to_owned()));
        }
        Ok(claims.or(more))
    }

    fn proven(&self, claims: &Claims) -> Result<Proven, LoginError> {
        let refuse = |reason: String| Err(LoginError::NotAllowed(reason));
        let claim = &self.settings.name_claim;
        let is_verified = claims.find("email_verified") == Some(&Value::Bool(true));
        let Some(subject) = claims.text("sub").filter(|subject| !subject.is_empty()) else {
            return refuse("the login service does not say who you are (sub)".to_owned());
        };
        let Some(name) = claims.text(claim) else {
            return refuse(format!(
                "the login service says no {claim}; ask the administrator for another name_claim"
            ));
        };
        if claim == "email" && !is_verified {
            return refuse("the login service has not verified your email address".to_owned());
        }
        if let Some(problem) = user_name_problem(name) {
            return refuse(format!("your {claim} can't be a name here: it {problem}"));
        }
        let groups = claims.texts(&self.settings.groups_claim).into_iter();
        let groups = groups.filter(|group| !group.is_empty() && !group.chars().any(char::is_control));
        let prefix = &self.settings.group_prefix;
        let groups: Vec<String> = groups.take(GROUPS).map(|group| format!("{prefix}{group}")).collect();
        let required = &self.settings.required_groups;
        if !required.is_empty() && !groups.iter().any(|group| required.contains(group)) {
            return refuse(format!("{name} is in none of the groups that may log in; ask the administrator"));
        }
        Ok(Proven {
            source: Source::Oidc,
            external: format!("{} {subject}", self.issuer.name()),
            name: name.to_owned(),
            groups,
            display: claims.text("name").map(|text| printable(text, MOST)),
            email: claims.text("email").filter(|_| is_verified).map(|text| printable(text, MOST)),
        })
    }
}

impl std::fmt::Debug for LoginService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginService").field("settings", &self.settings).finish_non_exhaustive()
    }
}
