//! The values of `Forwarded` (RFC 7239) and `X-Forwarded-*`.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use super::Hop;

/// Longest host or prefix taken over, in bytes.
const MAX_BYTES: usize = 255;

/// The comma-separated elements of every line of a header, the last one first.
///
/// Lines are split before they are read as text: a proxy appends to the line that a client began, and what the client wrote must not
/// make what the proxy wrote unreadable.
pub(super) fn elements<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map(text)
}

/// What isn't text is an element that says nothing.
fn text(element: &[u8]) -> &str {
    str::from_utf8(element).unwrap_or_default().trim()
}

/// Reads an address: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

/// Reads `http` or `https`, whatever their case.
pub(super) fn scheme(text: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

/// Takes over a host that holds only what a host and port are made of.
pub(crate) fn host(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (!text.is_empty() && text.len() <= MAX_BYTES && text.bytes().all(plain)).then(|| text.to_owned())
}

/// Takes over a path prefix: plain segments only, the slash at its end cut off. `/` alone is no prefix.
pub(super) fn prefix(text: &str) -> Option<String> {
    let path = text.trim().trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let segments = path.strip_prefix('/')?;
    let sane = path.len() <= MAX_BYTES
        && path.bytes().all(plain)
        && segments.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    sane.then(|| path.to_owned())
}

/// Reads every element of `Forwarded` as a hop, the last one first. Parameters that can't be read are left out.
pub(super) fn forwarded_hops(headers: &HeaderMap) -> Vec<Hop> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    lines
        .flat_map(|line| rsplit_unquoted(line.as_bytes(), b','))
        .map(|element| {
            let mut hop = Hop::default();
            let pairs = rsplit_unquoted(element, b';').map(text);
            for (name, value) in pairs.filter_map(|pair| pair.split_once('=')) {
                let value = unquote(value.trim());
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop.client = address(value),
                    "proto" => hop.scheme = scheme(value),
                    "host" => hop.host = host(value),
                    _ => {}
                }
            }
            hop
        })
        .collect()
}

/// Strips the quotes of a quoted string. No value we accept holds an escaped character, so none is resolved.
fn unquote(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// Splits at a separator outside of quoted strings, the last part first.
///
/// Read from the end, so that a quote which a client left open swallows nothing of what the proxies appended.
fn rsplit_unquoted(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.rsplit(move |byte| {
        quoted ^= *byte == b'"';
        !quoted && *byte == separator
    })
}
