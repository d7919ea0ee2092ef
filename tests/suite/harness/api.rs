//! A small client of the distribution API, for what no container client does on purpose.

use anyhow::{Context as _, Result, bail};
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, Url};
use sha2::{Digest as _, Sha256};

use super::Authority;

/// Every type of manifest that there is, as clients ask for them.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// Client of one server. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    base: Url,
    credentials: Option<(String, String)>,
}

/// Digest of `content` as registries write it.
pub(crate) fn digest_of(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// The upload that a `Location` names.
pub(crate) fn upload_id(location: &str) -> &str {
    let path = location.split('?').next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

impl Api {
    pub(crate) fn new(
        base: &str,
        authority: Option<&Authority>,
        credentials: Option<(&str, &str)>,
    ) -> Result<Self> {
        // Fails when another test was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut roots = Vec::new();
        if let Some(authority) = authority {
            roots.push(Certificate::from_pem(&std::fs::read(authority.ca_file())?)?);
        }
        let http = Client::builder()
            .no_proxy()
            .tls_certs_only(roots)
            .connect_timeout(std::time::Duration::from_secs(10))
            .timeout(std::time::Duration::from_mins(2))
            .build()?;
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Ok(Self { http, base: Url::parse(base)?, credentials })
    }

    /// A request to a path or `Location` of this server.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let url = self.base.join(path).with_context(|| format!("not a location: {path}"))?;
        let request = self.http.request(method, url);
        Ok(match &self.credentials {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Response> {
        Ok(self.request(Method::GET, path)?.header(ACCEPT, MANIFESTS).send().await?)
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Response> {
        Ok(self.request(Method::HEAD, path)?.header(ACCEPT, MANIFESTS).send().await?)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Response> {
        Ok(self.request(Method::DELETE, path)?.send().await?)
    }

    /// Begins an upload; hands back its location.
    pub(crate) async fn start_upload(&self, repository: &str) -> Result<String> {
        let response = self.request(Method::POST, &uploads(repository))?.send().await?;
        location(&expect(response, 202).await?)
    }

    /// Sends the next chunk of an upload; hands back the location for what follows.
    pub(crate) async fn append(&self, upload: &str, offset: u64, chunk: Vec<u8>) -> Result<String> {
        let last = offset + chunk.len() as u64 - 1;
        let response = self
            .request(Method::PATCH, upload)?
            .header(CONTENT_RANGE, format!("{offset}-{last}"))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(chunk)
            .send()
            .await?;
        let response = expect(response, 202).await?;
        let range = range(&response)?;
        if range != last + 1 {
            bail!("{upload}: {range} bytes acknowledged after a chunk up to {last}");
        }
        location(&response)
    }

    /// Ends an upload with its last bytes, which may be none.
    pub(crate) async fn finish_upload(&self, upload: &str, rest: Vec<u8>, digest: &str) -> Result<()> {
        let separator = if upload.contains('?') { '&' } else { '?' };
        let response = self
            .request(Method::PUT, &format!("{upload}{separator}digest={digest}"))?
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(rest)
            .send()
            .await?;
        expect(response, 201).await?;
        Ok(())
    }

    /// Pushes a blob with POST and PUT; hands back its digest.
    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> Result<String> {
        let upload = self.start_upload(repository).await?;
        let digest = digest_of(content);
        self.finish_upload(&upload, content.to_vec(), &digest).await?;
        Ok(digest)
    }

    /// Pushes a blob with a single POST; hands back its digest.
    pub(crate) async fn push_blob_at_once(&self, repository: &str, content: &[u8]) -> Result<String> {
        let digest = digest_of(content);
        let response = self
            .request(Method::POST, &format!("{}?digest={digest}", uploads(repository)))?
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(content.to_vec())
            .send()
            .await?;
        expect(response, 201).await?;
        Ok(digest)
    }

    /// Pushes a manifest under a tag or its digest; hands back the whole answer.
    pub(crate) async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        content: &[u8],
    ) -> Result<Response> {
        let manifest: serde_json::Value = serde_json::from_slice(content)?;
        let media_type = manifest["mediaType"].as_str().context("a manifest without mediaType")?;
        let request = self.request(Method::PUT, &format!("/v2/{repository}/manifests/{reference}"))?;
        Ok(request.header(CONTENT_TYPE, media_type).body(content.to_vec()).send().await?)
    }

    /// Pushes a manifest that must be taken; hands back its digest.
    pub(crate) async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        content: &[u8],
    ) -> Result<String> {
        expect(self.put_manifest(repository, reference, content).await?, 201).await?;
        Ok(digest_of(content))
    }

    /// Pulls a blob and hashes it again.
    pub(crate) async fn pull_blob(&self, repository: &str, digest: &str) -> Result<Vec<u8>> {
        self.pull(&format!("/v2/{repository}/blobs/{digest}"), Some(digest)).await
    }

    /// Pulls a manifest by tag or digest; a digest is checked.
    pub(crate) async fn pull_manifest(&self, repository: &str, reference: &str) -> Result<Vec<u8>> {
        let digest = reference.contains(':').then_some(reference);
        self.pull(&format!("/v2/{repository}/manifests/{reference}"), digest).await
    }

    async fn pull(&self, path: &str, digest: Option<&str>) -> Result<Vec<u8>> {
        let body = expect(self.get(path).await?, 200).await?.bytes().await?;
        let computed = digest_of(&body);
        if digest.is_some_and(|digest| digest != computed) {
            let what = format!("{path}: served {} bytes that hash to {computed}", body.len());
            return Err(Corrupted(what).into());
        }
        Ok(body.into())
    }

    /// Digest that a tag points to, or `None` where the tag is unknown.
    pub(crate) async fn resolve(&self, repository: &str, tag: &str) -> Result<Option<String>> {
        let response = self.get(&format!("/v2/{repository}/manifests/{tag}")).await?;
        if response.status() == 404 {
            return Ok(None);
        }
        Ok(Some(digest_of(&expect(response, 200).await?.bytes().await?)))
    }

    /// Bytes that an upload has, or `None` where the upload is unknown.
    pub(crate) async fn upload_offset(&self, upload: &str) -> Result<Option<u64>> {
        let response = self.request(Method::GET, upload)?.send().await?;
        if response.status() == 404 {
            return Ok(None);
        }
        range(&expect(response, 204).await?).map(Some)
    }
}

/// Path at which uploads of a repository begin.
fn uploads(repository: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/")
}

/// Hands the answer on if it has this status, or else fails with what it says.
pub(crate) async fn expect(response: Response, status: u16) -> Result<Response> {
    if response.status() == status {
        return Ok(response);
    }
    let (got, url) = (response.status(), response.url().clone());
    let said = response.text().await.unwrap_or_default();
    Err(Refused { status: got.as_u16(), what: format!("{url}: {got} where {status} was due: {said}") }.into())
}

/// An answer of another status than was due.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    what: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Refused {}

/// An answer that arrived whole, and is not what was asked for.
#[derive(Debug)]
pub(crate) struct Corrupted(String);

impl std::fmt::Display for Corrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Corrupted {}

/// Whether it was no answer of a registry at all: the connection was lost, or who passes requests on found nobody.
pub(crate) fn is_outage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let refused =
            cause.downcast_ref::<Refused>().is_some_and(|refused| matches!(refused.status, 502..=504));
        refused || cause.is::<reqwest::Error>()
    })
}

fn location(response: &Response) -> Result<String> {
    let value = response.headers().get(LOCATION).context("no Location")?;
    Ok(value.to_str()?.to_owned())
}

/// Bytes acknowledged by a `Range: 0-N` header; an upload without any says `0-0` or leaves the header out.
fn range(response: &Response) -> Result<u64> {
    let Some(value) = response.headers().get(RANGE) else { return Ok(0) };
    let value = value.to_str()?;
    let last =
        value.trim_start_matches("bytes=").strip_prefix("0-").with_context(|| format!("Range: {value}"))?;
    let last: u64 = last.parse().with_context(|| format!("Range: {value}"))?;
    Ok(if last == 0 { 0 } else { last + 1 })
}
