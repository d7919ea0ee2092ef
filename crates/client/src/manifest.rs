//! Manifests: the bytes as they came, and what they hash to.

use berth_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, media_type};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};

use crate::list::pull_scope;
use crate::request::Call;
use crate::{Error, Result, Upstream};

/// Says which digest the content of an answer has.
const DOCKER_DIGEST: &str = "docker-content-digest";

/// A manifest that another registry gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Digest of `content`, computed here.
    pub digest: Digest,
    /// The type that the registry gave it, where that is one of a manifest; else the document has to say.
    pub media_type: Option<String>,
    /// The bytes as they came.
    pub content: Bytes,
}

impl Upstream {
    /// Fetches a manifest by tag or digest, and compares it with the digest asked for or announced; `None` if there is none.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Fetched>> {
        let what = format!("manifest {repository} {reference}");
        let response = self.0.send(&call(self, Method::GET, repository, reference)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(self.0.refusal(&what, response).await);
        }
        let given = reference.digest().copied().or(announced(response.headers()));
        let media_type = media_type_of(response.headers());
        let content = self.0.body(&what, response, self.0.limits.manifest_bytes).await?;
        let computed = Digest::of(given.map_or(Algorithm::Sha256, |given| given.algorithm()), &content);
        match given {
            Some(given) if given != computed => Err(Error::Digest { what, given, computed }),
            _ => Ok(Some(Fetched { digest: computed, media_type, content })),
        }
    }

    /// Asks which manifest a tag points at, without fetching it where the registry says so; `None` if there is no such tag.
    pub async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>> {
        let reference = Reference::from(tag.clone());
        let response = self.0.send(&call(self, Method::HEAD, repository, &reference)).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => match announced(response.headers()) {
                Some(digest) => Ok(Some(digest)),
                None => Ok(self.manifest(repository, &reference).await?.map(|fetched| fetched.digest)),
            },
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(self.manifest(repository, &reference).await?.map(|fetched| fetched.digest))
            }
            _ => Err(self.0.refusal(&format!("manifest {repository} {tag}"), response).await),
        }
    }
}

fn call(upstream: &Upstream, method: Method, repository: &RepositoryName, reference: &Reference) -> Call {
    let url = upstream.0.url(&format!("{repository}/manifests/{reference}"));
    let accept = media_type::MANIFESTS.join(", ");
    Call { method, accept: Some(accept), ..Call::get(url, &pull_scope(repository)) }
}

fn announced(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DOCKER_DIGEST)?.to_str().ok()?.trim().parse().ok()
}

fn media_type_of(headers: &HeaderMap) -> Option<String> {
    let essence = media_type::essence(headers.get(CONTENT_TYPE)?.to_str().ok()?).to_ascii_lowercase();
    (media_type::is_manifest(&essence) || media_type::is_schema_1(&essence)).then_some(essence)
}
