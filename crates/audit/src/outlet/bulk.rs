//! Ships records to Elasticsearch or OpenSearch by `_bulk`, into an index that is made when it is missing.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, StatusCode, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Sink, Undelivered};
use crate::search::mapping;

/// Longest that one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of one request, unless a single record is longer.
const MOST_BYTES: usize = 5 << 20;
/// Longest answer that is read.
const MOST_ANSWER: usize = 16 << 20;

/// Ships the audit trail to Elasticsearch or OpenSearch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    /// Where it answers: `https://search.example.com:9200`.
    pub url: String,
    /// The index, or data stream. It is made when it is missing.
    #[serde(default = "index")]
    pub index: String,
    /// Who we are; nobody unless this is set.
    #[serde(default)]
    pub username: Option<String>,
    /// File that holds the password. It is read anew for each request.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn index() -> String {
    "berth-audit".into()
}

impl Ship {
    /// Says what could not work.
    pub fn problem(&self) -> Option<String> {
        let is_http =
            Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_http {
            return Some(format!("audit.ship.url {:?} is no address: write https://HOST:PORT", self.url));
        }
        if Url::parse(&self.url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
            return Some("audit.ship.url holds credentials: write them to audit.ship.username and a file that audit.ship.password_file names".into());
        }
        let is_fine = |char: char| {
            char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '_' | '.')
        };
        if self.index.is_empty()
            || self.index.len() > 200
            || self.index.starts_with(['-', '_', '.'])
            || !self.index.chars().all(is_fine)
        {
            return Some(format!(
                "audit.ship.index {:?} is no name of an index: use small letters, digits, - and _",
                self.index
            ));
        }
        if self.username.is_some() != self.password_file.is_some() {
            return Some(
                "audit.ship.username and audit.ship.password_file belong together: set both or neither"
                    .into(),
            );
        }
        None
    }
}

/// A client of Elasticsearch or OpenSearch.
#[derive(Debug)]
pub struct Bulk {
    settings: Ship,
    url: Url,
    http: Client,
    /// Whether the index is known to be there.
    is_there: bool,
    /// What the last request was cut to, after one was too long.
    bytes: usize,
}

/// What became of one document.
enum Fate {
    Arrived,
    /// It may arrive another time.
    Later(String),
    /// It never will.
    Refused(String),
}

impl Bulk {
    /// Makes a client. Sends nothing.
    ///
    /// # Errors
    /// The settings can't work.
    pub fn new(settings: Ship) -> Result<Self, Undelivered> {
        if let Some(problem) = settings.problem() {
            return Err(Undelivered(problem));
        }
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut url = Url::parse(&settings.url).map_err(|error| Undelivered(error.to_string()))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let http = client(&settings, url.scheme() == "http")?;
        Ok(Self { settings, url, http, is_there: false, bytes: MOST_BYTES })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Value), Undelivered> {
        let url = self.url.join(path).map_err(|error| Undelivered(error.to_string()))?;
        let mut request = self.http.request(method, url).header("content-type", kind).body(body);
        if let (Some(name), Some(file)) = (&self.settings.username, &self.settings.password_file) {
            let password = tokio::fs::read_to_string(file).await;
            let password = password.map_err(|error| Undelivered(format!("{}: {error}", file.display())))?;
            request = request.basic_auth(name, Some(password.trim_end_matches(['\r', '\n'])));
        }
        let failed = |error: reqwest::Error| Undelivered(chain(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if text.len() + piece.len() > MOST_ANSWER {
                return Err(Undelivered(format!("the answer is longer than {MOST_ANSWER} bytes")));
            }
            text.extend_from_slice(&piece);
        }
        Ok((status, serde_json::from_slice(&text).unwrap_or(Value::Null)))
    }

    /// Makes the index, with a mapping that answers as Berth itself does.
    async fn prepare(&mut self) -> Result<(), Undelivered> {
        let index = self.settings.index.clone();
        let (status, _) = self.send(Method::HEAD, &index, "application/json", Vec::new()).await?;
        if status == StatusCode::NOT_FOUND {
            let body = json!({ "mappings": mapping() }).to_string().into_bytes();
            let (status, answer) = self.send(Method::PUT, &index, "application/json", body).await?;
            let was_first = answer["error"]["type"] == "resource_already_exists_exception";
            if !status.is_success() && !was_first {
                return Err(Undelivered(format!("index {index} can't be made: {}", reason(status, &answer))));
            }
        } else if !status.is_success() {
            return Err(Undelivered(format!(
                "index {index} can't be looked at: {}",
                reason(status, &Value::Null)
            )));
        }
        self.is_there = true;
        Ok(())
    }

    /// Sends as many of the first documents as one request may hold. Returns what became of each.
    async fn send_some(&mut self, documents: &[(String, Value)]) -> Result<Vec<Fate>, Undelivered> {
        let mut body = Vec::new();
        let mut count = 0;
        for (id, document) in documents {
            // An id that is there already is this record: `create` never overwrites, and data streams take nothing else.
            let entry = format!("{}\n{document}\n", json!({ "create": { "_id": id } }));
            if count > 0 && body.len() + entry.len() > self.bytes {
                break;
            }
            body.extend_from_slice(entry.as_bytes());
            count += 1;
        }
        let path = format!("{}/_bulk", self.settings.index);
        let (status, answer) = self.send(Method::POST, &path, "application/x-ndjson", body).await?;
        if status == StatusCode::PAYLOAD_TOO_LARGE && count > 1 {
            self.bytes = (self.bytes / 2).max(1);
            return Ok(Vec::new());
        }
        if !status.is_success() {
            self.is_there = false;
            return Err(Undelivered(reason(status, &answer)));
        }
        let items = answer["items"].as_array().filter(|items| items.len() == count);
        let items =
            items.ok_or_else(|| Undelivered("the answer does not say what became of each record".into()))?;
        Ok(items.iter().map(|item| fate(&item["create"])).collect())
    }
}

impl Sink for Bulk {
    async fn deliver(&mut self, documents: &mut Vec<(String, Value)>) -> Result<(), Undelivered> {
        if !self.is_there {
            self.prepare().await?;
        }
        while !documents.is_empty() {
            let fates = self.send_some(documents).await?;
            let rest = documents.split_off(fates.len());
            let mut later = Vec::new();
            let mut why = None;
            for (document, fate) in documents.drain(..).zip(fates) {
                match fate {
                    Fate::Arrived => {}
                    Fate::Later(reason) => {
                        why = Some(reason);
                        later.push(document);
                    }
                    // It would be refused for ever, and hold up all others. It stays in the trail.
                    Fate::Refused(reason) => {
                        tracing::error!(
                            record = document.0,
                            reason,
                            "the search engine refuses an audit record: not shipped"
                        );
                    }
                }
            }
            later.extend(rest);
            *documents = later;
            if let Some(why) = why {
                return Err(Undelivered(why));
            }
        }
        Ok(())
    }
}

fn fate(item: &Value) -> Fate {
    let reason = || format!("{}: {}", item["error"]["type"], item["error"]["reason"]);
    match item["status"].as_u64() {
        Some(200..=299 | 409) => Fate::Arrived,
        // Too many requests, a shard that is not there, a disk that is full, a role that is missing.
        Some(401 | 403 | 404 | 408 | 429 | 500..) | None => Fate::Later(reason()),
        Some(_) => Fate::Refused(reason()),
    }
}

fn reason(status: StatusCode, answer: &Value) -> String {
    let error = &answer["error"];
    let text = error["reason"].as_str().or_else(|| error.as_str()).unwrap_or("it does not say why");
    format!("{status}: {text}")
}

fn client(settings: &Ship, is_plain: bool) -> Result<Client, Undelivered> {
    let builder = || {
        Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            // Credentials go to the address that the operator named.
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(PATIENCE)
    };
    let built = match &settings.ca_file {
        Some(file) => {
            let wrong = |why: String| Undelivered(format!("audit.ship.ca_file {}: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if certificates.is_empty() {
                return Err(wrong("it holds no certificate".into()));
            }
            builder().tls_certs_merge(certificates).build()
        }
        // A system without certificates is good enough for plain HTTP.
        None if is_plain => builder().build().or_else(|_| builder().tls_certs_only([]).build()),
        None => builder().build(),
    };
    built.map_err(|error| Undelivered(chain(&error)))
}

/// Writes an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let ship = |url: &str, index: &str| Ship {
            url: url.into(),
            index: index.into(),
            username: None,
            password_file: None,
            ca_file: None,
        };
        assert_eq!(ship("https://search.example.com:9200", "berth-audit").problem(), None);
        for (wrong, named) in [
            (ship("search.example.com:9200", "a"), "audit.ship.url"),
            (ship("https://me:secret@search.example.com", "a"), "credentials"),
            (ship("http://a", "A/b"), "audit.ship.index"),
            (Ship { username: Some("me".into()), ..ship("http://a", "a") }, "belong together"),
        ] {
            let problem = wrong.problem().unwrap();
            assert!(problem.contains(named) && !problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn what_became_of_a_record_is_read_from_its_own_status() {
        for (status, arrived, later) in [
            (201, true, false),
            (409, true, false),
            (429, false, true),
            (503, false, true),
            (403, false, true),
            (400, false, false),
        ] {
            let item = json!({ "status": status, "error": { "type": "t", "reason": "r" } });
            let fate = fate(&item);
            assert_eq!(matches!(fate, Fate::Arrived), arrived, "{status}");
            assert_eq!(matches!(fate, Fate::Later(_)), later, "{status}");
        }
        assert!(matches!(fate(&Value::Null), Fate::Later(_)));
    }
}
