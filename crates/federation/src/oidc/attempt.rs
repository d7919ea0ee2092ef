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
mod tests {
    use super::*;

    #[test]
    fn a_login_ends_on_this_server() {
        for next in [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "/\t/evil.example/",
            "javascript:alert(1)",
            "evil.example",
            "",
            &format!("/{}", "x".repeat(600)),
        ] {
            assert_eq!(Attempt::new(next).unwrap().next(), "/login", "{next:?}");
            let forged =
                format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 32]), BASE64_URL_SAFE_NO_PAD.encode(next));
            assert_eq!(Attempt::parse(&forged).unwrap().next(), "/login", "{next:?}");
        }
        assert_eq!(Attempt::new("/login?x=//y").unwrap().next(), "/login?x=//y");
    }

    #[test]
    fn a_cookie_is_the_attempt() {
        let attempt = Attempt::new("/login").unwrap();
        assert_eq!(Attempt::parse(&attempt.cookie()), Some(attempt.clone()));
        for cookie in ["", ".", "x", "eA.eA", &attempt.cookie()[1..]] {
            assert_eq!(Attempt::parse(cookie), None, "{cookie:?}");
        }
    }

    #[test]
    fn nothing_derived_is_good_elsewhere() {
        let (one, other) = (Attempt::new("/").unwrap(), Attempt::new("/").unwrap());
        let all = [
            one.state("a"),
            one.nonce("a"),
            one.verifier("a"),
            one.state("b"),
            other.state("a"),
            one.cookie(),
        ];
        for (n, text) in all.iter().enumerate() {
            assert!(!all[..n].contains(text));
        }
        assert!((43..=128).contains(&one.verifier("a").len()));
    }
}
