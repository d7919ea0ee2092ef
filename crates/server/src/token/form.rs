//! Parameters, of a query or of a form (the URL standard, "application/x-www-form-urlencoded").

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// Longest form, in bytes. A password has its place in it, an upload has not.
const MAX_BYTES: usize = 64 * 1024;

/// Reads a form.
pub(super) async fn read<B>(body: B) -> Result<String, Refusal>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let whole = Limited::new(body.map_err(|error| error.to_string()), MAX_BYTES);
    let whole = whole.collect().await.map_err(|_| Refusal::form("is larger than 64 KiB, or broke off"))?;
    String::from_utf8(whole.to_bytes().into()).map_err(|_| Refusal::form("is not text"))
}

/// Reads names and values. A `+` is a space here, unlike in the parameters of `/v2/`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
