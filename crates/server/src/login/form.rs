//! Forms, and whether they were sent from one of our pages.

use std::fmt::Display;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Longest form.
const MAX_BYTES: usize = 16 * 1024;
/// The field that shows that a page of ours was read.
pub(super) const TOKEN: &str = "csrf";

/// The fields of a form. No Debug: it would print passwords.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form; `None` if it is none, or too long.
    pub(super) async fn read<B>(body: B) -> Option<Self>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        let body = Limited::new(body.map_err(|error| error.to_string()), MAX_BYTES).collect().await.ok()?;
        let bytes = body.to_bytes();
        Some(Self::parse(std::str::from_utf8(&bytes).ok()?))
    }

    /// Reads the fields of a query or a form.
    pub(super) fn parse(text: &str) -> Self {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// Returns a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether it holds what a page showed that was made for the holder of `secret`, which lies in a cookie.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        let given = self.get(TOKEN).unwrap_or_default();
        token(secret).as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// What the forms hold that are made for the holder of a secret. It tells nothing about the secret.
pub(super) fn token(secret: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("berth form ");
    hash.update(secret);
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests;
