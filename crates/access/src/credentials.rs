//! Basic credentials, as an `Authorization` header holds them (RFC 7617).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::account::{RandomSecret, SecretKind};
use crate::error::Unauthenticated;
use crate::federation::JOB;

// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What Basic credentials claim. Nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name.
    pub name: String,
    /// Whether what comes with it has the form of a secret that Berth makes up: that can be wrong, and can't be guessed.
    pub made_up: bool,
}

impl Claim {
    /// Reads an `Authorization` header; none where there is no name to be found.
    pub fn parse(authorization: &str) -> Option<Self> {
        let credentials = Credentials::parse(authorization).ok()??;
        let is_a = |kind| RandomSecret::parse(kind, credentials.password()).is_some();
        let made_up = is_a(SecretKind::Robot) || is_a(SecretKind::Application);
        // A job's token can't be guessed, and all jobs have one name.
        (credentials.name() != JOB).then(|| Self { name: credentials.name().to_owned(), made_up })
    }
}

/// A name and a password as a client gave them. No Debug: it would print the password.
pub(crate) struct Credentials {
    decoded: Vec<u8>,
    colon: usize,
}

impl Credentials {
    /// Reads an `Authorization` header (RFC 7617). None for an empty name and password: some clients send
    /// that (`Basic Og==`) instead of no header.
    pub(crate) fn parse(header: &str) -> Result<Option<Self>, Unauthenticated> {
        let (scheme, encoded) = header.split_once(' ').ok_or(Unauthenticated::UnsupportedScheme)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Unauthenticated::UnsupportedScheme);
        }
        let decoded = BASE64.decode(encoded.trim()).map_err(|_| Unauthenticated::Malformed("not base64"))?;
        let colon = decoded
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(Unauthenticated::Malformed("no colon after the name"))?;
        if decoded.iter().any(u8::is_ascii_control) {
            return Err(Unauthenticated::Malformed("control character"));
        }
        if std::str::from_utf8(&decoded[..colon]).is_err() {
            return Err(Unauthenticated::Malformed("name is not UTF-8"));
        }
        Ok((decoded != b":").then_some(Self { decoded, colon }))
    }

    /// Returns the name: no colon, no control character.
    pub(crate) fn name(&self) -> &str {
        // Checked in `parse`.
        std::str::from_utf8(&self.decoded[..self.colon]).unwrap_or_default()
    }

    /// Returns the password, in whatever encoding the client used.
    pub(crate) fn password(&self) -> &[u8] {
        &self.decoded[self.colon + 1..]
    }
}
