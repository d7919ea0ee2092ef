//! What an access line says.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderValue, Version};
use serde::{Serialize, Serializer};

use super::clean::{clean, cut};
use crate::metrics::Outcome;

/// Longest `User-Agent` in a line, in bytes.
const USER_AGENT_BYTES: usize = 256;
/// Longest path, reference or cause in a line, in bytes.
const TEXT_BYTES: usize = 2048;

/// One request, as the access log tells it.
#[derive(Debug)]
pub(crate) struct Line<'r> {
    pub(crate) request_id: &'r str,
    pub(crate) client: IpAddr,
    /// None before the caller is known.
    pub(crate) caller: Option<&'r str>,
    pub(crate) method: &'r str,
    /// Without the query, which may hold secrets.
    pub(crate) path: &'r str,
    pub(crate) repository: Option<&'r str>,
    pub(crate) reference: Option<&'r str>,
    pub(crate) endpoint: &'static str,
    /// What was done: `pull`, `push`, `delete`, `list`, or the endpoint's name.
    pub(crate) action: &'static str,
    /// 499 when the client went away before there was one.
    pub(crate) status: u16,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    pub(crate) user_agent: Option<&'r HeaderValue>,
    pub(crate) protocol: Version,
    pub(crate) outcome: Outcome,
    /// The internal cause, if the request failed.
    pub(crate) error: Option<&'r str>,
}

/// The JSON form: fields as the other log lines name them.
#[derive(Serialize)]
struct Json<'l> {
    timestamp: &'l str,
    /// The same, by the name that collectors of logs for Elasticsearch look for.
    #[serde(rename = "@timestamp")]
    at: &'l str,
    level: &'static str,
    message: &'static str,
    action: &'static str,
    request_id: &'l str,
    client: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Text<'l>>,
    method: Text<'l>,
    path: Text<'l>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Text<'l>>,
    endpoint: &'static str,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Text<'l>>,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Text<'l>>,
}

impl Line<'_> {
    /// Appends the line as a JSON object.
    pub(super) fn json(&self, timestamp: &str, out: &mut Vec<u8>) {
        let user_agent = self.user_agent();
        let line = Json {
            timestamp,
            at: timestamp,
            level: self.level(),
            message: self.message(),
            action: self.action,
            request_id: self.request_id,
            client: self.client,
            caller: self.caller.map(Text),
            method: Text(self.method),
            path: Text(self.path),
            repository: self.repository,
            reference: self.reference.map(Text),
            endpoint: self.endpoint,
            status: self.status,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_us: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            user_agent: user_agent.as_deref().map(Text),
            protocol: protocol(self.protocol),
            error: self.error.map(Text),
        };
        // Neither strings and integers nor a growing buffer can fail.
        let _ = serde_json::to_writer(&mut *out, &line);
        out.push(b'\n');
    }

    /// Appends the line for a reader: time of day, what was asked and answered, how much, how long, by whom.
    pub(super) fn human(&self, timestamp: &str, out: &mut Vec<u8>) {
        let time = timestamp.get(11..23).unwrap_or(timestamp);
        let (method, path) = (Text(self.method), Text(self.path));
        let client = self.client;
        let _ = write!(out, "{time} {:5} {} {method} {path}", self.level(), self.status);
        if self.bytes_in > 0 {
            let _ = write!(out, " in {}", Size(self.bytes_in));
        }
        let _ = write!(out, " out {} in {:.1?} {client}", Size(self.bytes_out), self.duration);
        if let Some(caller) = self.caller {
            let _ = write!(out, " {}", Text(caller));
        }
        if self.outcome != Outcome::Success {
            let _ = write!(out, " {} ({})", self.message(), self.request_id);
        }
        if let Some(error) = self.error {
            let _ = write!(out, ": {}", Text(error));
        }
        out.push(b'\n');
    }

    fn level(&self) -> &'static str {
        if self.outcome == Outcome::Failed { "ERROR" } else { "INFO" }
    }

    fn message(&self) -> &'static str {
        match self.outcome {
            Outcome::Success => "request served",
            Outcome::Refused => "request refused",
            Outcome::Failed => "request failed",
            Outcome::Aborted => "client went away",
        }
    }

    fn user_agent(&self) -> Option<Cow<'_, str>> {
        let bytes = self.user_agent?.as_bytes();
        // A character more than shown, so that one cut in two falls to the cut below.
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(USER_AGENT_BYTES + 4)]);
        Some(match text {
            Cow::Borrowed(text) => Cow::Borrowed(cut(text, USER_AGENT_BYTES)),
            Cow::Owned(text) => Cow::Owned(cut(&text, USER_AGENT_BYTES).to_owned()),
        })
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP",
    }
}

/// Text from outside: cut to a length, and free of what a terminal would obey.
struct Text<'t>(&'t str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&clean(cut(self.0, TEXT_BYTES)))
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(cut(self.0, TEXT_BYTES)))
    }
}

/// A number of bytes for a reader.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let step = (self.0.ilog2() / 10).min(4);
        // Tenths in integers: no digit that a float would invent.
        let tenths = u128::from(self.0) * 10 / (1 << (10 * step));
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[step as usize - 1])
    }
}
