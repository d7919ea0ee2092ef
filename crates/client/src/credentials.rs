//! Credentials out of files: a name and a file with the password, or what `docker login` and its kin keep.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::{Address, Error, Result};

/// Who we are to another registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    name: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The file that `docker login` writes, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl Credentials {
    /// Makes credentials of a name and a password.
    pub fn new(name: &str, password: &str) -> Result<Self> {
        if name.is_empty() || name.contains(':') {
            return Err(Error::Settings("a user name must not be empty or hold a colon".to_owned()));
        }
        if name.chars().chain(password.chars()).any(char::is_control) {
            return Err(Error::Settings("name or password hold a control character".to_owned()));
        }
        Ok(Self { name: name.to_owned(), password: password.to_owned() })
    }

    /// Reads the password out of a file: its first line. Blocks for a moment.
    pub fn from_password_file(name: &str, file: &Path) -> Result<Self> {
        let text = read(file)?;
        Self::new(name, text.lines().next().unwrap_or_default())
    }

    /// Finds the credentials for a registry in a `config.json` of docker's or an `auth.json` of podman's; `None` if it has none. Programs
    /// that keep credentials (`credHelpers`, `credsStore`) are not run. Blocks for a moment.
    pub fn from_auth_file(file: &Path, address: &Address) -> Result<Option<Self>> {
        Self::parse(&read(file)?, &address.place())
            .map_err(|problem| Error::Settings(format!("{}: {problem}", file.display())))
    }

    fn parse(text: &str, place: &str) -> std::result::Result<Option<Self>, String> {
        // The parser's own message would quote what stands there.
        let file: File = serde_json::from_str(text).map_err(|error| {
            format!("not a file of credentials (line {}, column {})", error.line(), error.column())
        })?;
        let Some(entry) = file.auths.iter().find(|(key, _)| host_of(key) == place).map(|(_, entry)| entry)
        else {
            let kept_elsewhere = file.cred_helpers.keys().any(|key| host_of(key) == place);
            return if kept_elsewhere { Err(helper(place)) } else { Ok(None) };
        };
        if !entry.auth.is_empty() {
            let decoded = STANDARD.decode(&entry.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
            let (name, password) =
                pair.ok_or_else(|| format!("auth of {place} is not base64 of name:password"))?;
            // Docker ends it with a zero byte now and then.
            return Self::new(name, password.trim_end_matches('\0'))
                .map(Some)
                .map_err(|error| error.to_string());
        }
        if !entry.username.is_empty() {
            return Self::new(&entry.username, &entry.password).map(Some).map_err(|error| error.to_string());
        }
        if !entry.identitytoken.is_empty() {
            return Err(format!(
                "{place} has an identity token, which is not supported: log in with a password or a robot's token"
            ));
        }
        // An empty entry says that a program keeps it.
        if file.creds_store.is_empty() { Ok(None) } else { Err(helper(place)) }
    }

    pub(crate) fn header(&self) -> Result<HeaderValue> {
        let encoded = STANDARD.encode(format!("{}:{}", self.name, self.password));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
            .map_err(|_| Error::Settings("the credentials can't be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| Error::Settings(format!("{} can't be read: {error}", file.display())))
}

fn helper(place: &str) -> String {
    format!("a helper program keeps the credentials of {place}, and is not run: write them to a file")
}

/// Host and port of a key, which may be an address with scheme and path.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> std::result::Result<Option<(String, String)>, String> {
        Ok(Credentials::parse(text, "old.example:5000")?.map(|found| (found.name, found.password)))
    }

    #[test]
    fn files_of_docker_and_podman_are_read() {
        let ann = Ok(Some(("ann".to_owned(), "s:cret".to_owned())));
        // base64 of ann:s:cret
        assert_eq!(find(r#"{"auths":{"old.example:5000":{"auth":"YW5uOnM6Y3JldA=="}}}"#), ann);
        assert_eq!(find(r#"{"auths":{"https://old.example:5000/v1/":{"auth":"YW5uOnM6Y3JldA=="}}}"#), ann);
        assert_eq!(find(r#"{"auths":{"old.example:5000":{"username":"ann","password":"s:cret"}}}"#), ann);
        assert_eq!(find(r#"{"auths":{"old.example":{"auth":"YW5uOnM6Y3JldA=="}}}"#), Ok(None));
        assert_eq!(find("{}"), Ok(None));
    }

    #[test]
    fn what_can_not_be_used_is_said_without_the_secret() {
        for (text, reason) in [
            (r#"{"auths":{"old.example:5000":{"auth":"c2VjcmV0"}}}"#, "name:password"),
            (r#"{"auths":{"old.example:5000":{"identitytoken":"secret"}}}"#, "identity token"),
            (r#"{"auths":{"old.example:5000":{}},"credsStore":"secretservice"}"#, "helper"),
            (r#"{"credHelpers":{"old.example:5000":"ecr-login"}}"#, "helper"),
            (r#"{"auths": "secret"}"#, "not a file of credentials (line 1"),
        ] {
            let error = find(text).unwrap_err();
            assert!(
                error.contains(reason) && !error.contains("c2Vj") && !error.contains("\"secret"),
                "{error}"
            );
        }
        let shown = format!("{:?}", Credentials::new("ann", "s:cret").unwrap());
        assert!(!shown.contains("cret\""), "{shown}");
    }
}
