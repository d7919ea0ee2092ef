//! The `access.tokens` part of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest that a token may be good, and that a key verifies after another has taken over.
pub(super) const MAX_LIFETIME_SECONDS: u32 = 3600;

/// Docker's token authentication: what clients get for their credentials and show instead of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// Whether clients are sent for a token. Without, they are asked for Basic credentials, and a docker that has none can't pull what
    /// everybody may.
    pub enabled: bool,
    /// The name of this registry in challenges and tokens. Requests for a token of `harbor-registry` are answered too.
    #[schemars(length(min = 1, max = 128))]
    pub service: String,
    /// The address that clients are sent to for a token, such as `https://registry.example.com/token`. Unset, it is `/token` at the
    /// address that the client used.
    pub realm: Option<String>,
    /// How long a token is good, in seconds: 60 to 3600.
    #[schemars(range(min = 60, max = 3600))]
    pub lifetime_seconds: u32,
    /// How long a refresh token is good that a client keeps instead of the password, in days. 0 hands out none.
    pub refresh_days: u32,
    /// How long one is good of a user of a directory (`access.ldap`), in hours, and never longer than `refresh_days`: the directory is not
    /// asked when it is used. 0 hands out none.
    pub directory_refresh_hours: u32,
    /// Age at which another key takes over the signing, in days. 0 leaves that to `berth keys rotate`.
    pub key_days: u32,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            service: "berth".to_owned(),
            realm: None,
            lifetime_seconds: 300,
            refresh_days: 30,
            directory_refresh_hours: 8,
            key_days: 90,
        }
    }
}

/// What in the configuration of tokens can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokensConfigError {
    /// The name would not fit into a header.
    #[error("access.tokens.service {0:?} must be 1 to 128 letters, digits, and `-._:/`")]
    Service(String),
    /// The realm is no address.
    #[error("access.tokens.realm {0:?} is no address: write it as https://registry.example.com/token")]
    Realm(String),
    /// Too short to be of use, or too long to be safe.
    #[error("access.tokens.lifetime_seconds {0} must be 60 to 3600")]
    Lifetime(u32),
}

impl TokensConfig {
    /// Checks what the types don't.
    pub(crate) fn validate(&self) -> Result<(), TokensConfigError> {
        let plain = |text: &str, also: &[u8]| {
            (1..=128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        };
        if !plain(&self.service, b"-._:/") {
            return Err(TokensConfigError::Service(self.service.clone()));
        }
        if let Some(realm) = &self.realm {
            let rest = realm.strip_prefix("https://").or_else(|| realm.strip_prefix("http://"));
            let host = rest.unwrap_or_default().split('/').next().unwrap_or_default();
            let visible = realm.len() <= 512 && realm.bytes().all(|byte| byte.is_ascii_graphic());
            if host.is_empty() || !visible || realm.contains(['"', '\\', '@', '?', '#']) {
                return Err(TokensConfigError::Realm(realm.clone()));
            }
        }
        if !(60..=MAX_LIFETIME_SECONDS).contains(&self.lifetime_seconds) {
            return Err(TokensConfigError::Lifetime(self.lifetime_seconds));
        }
        Ok(())
    }
}
