//! A login under way: one random secret that only the browser holds.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Where to go when there is nowhere better.
const HOME: &str = "/login";
/// Longest path to return to.
const PATH_BYTES: usize = 512;

/// A login under way. State, nonce and the verifier of PKCE are derived from its secret, which lies in a cookie: so nothing has to be
/// kept here, any node can finish what another began, and only the browser that began it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    secret: [u8; 32],
    next: String,
}

impl Attempt {
    /// Begins a login that is to end at the path `next`, if that is one of ours.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(next: &str) -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret, next: own_path(next).to_owned() })
    }

    /// Returns the value of the cookie.
    pub fn cookie(&self) -> String {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}", encode(&self.secret), encode(self.next.as_bytes()))
    }

    /// Reads a cookie.
    pub fn parse(cookie: &str) -> Option<Self> {
        let (secret, next) = cookie.split_once('.')?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let next = String::from_utf8(decode(next)?).ok()?;
        Some(Self { secret: decode(secret)?.try_into().ok()?, next: own_path(&next).to_owned() })
    }

    /// The path to go to afterwards: one of ours.
    pub fn next(&self) -> &str {
        &self.next
    }

    /// What comes back with the answer, to show that this browser began it.
    pub(super) fn state(&self, service: &str) -> String {
        self.derive("state", service)
    }

    /// What is in the ID token, to show that it was made for this login.
    pub(super) fn nonce(&self, service: &str) -> String {
        self.derive("nonce", service)
    }

    /// What the code is good with only (RFC 7636).
    pub(super) fn verifier(&self, service: &str) -> String {
        self.derive("verifier", service)
    }

    fn derive(&self, what: &str, service: &str) -> String {
        // A whole block of SHA-256, which is what the key of an HMAC is filled up to anyway.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.secret);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(service.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

/// Returns a path if a browser takes it for one of this server, else the home page: whatever else it is, it leads away.
fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= PATH_BYTES
        // Browsers take a backslash for a slash, and ignore control characters.
        && path.chars().all(|char| char != '\\' && !char.is_control());
    if is_own { path } else { HOME }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
