//! A client that pushes and pulls whole images, and lets a test send anything else.

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode};

use crate::{Blob, Image};

/// A client of one registry. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    credentials: Option<(String, String)>,
}

impl Client {
    pub(crate) fn new(url: String, certificate: Option<&str>) -> Self {
        let trusted =
            certificate.map(|pem| Certificate::from_pem(pem.as_bytes()).expect("the certificate is one"));
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(trusted)
            .build()
            .expect("an HTTP client can be made");
        Self { http, url, credentials: None }
    }

    /// The same client with a name and a password.
    #[must_use]
    pub fn with_credentials(&self, name: &str, password: &str) -> Self {
        Self { credentials: Some((name.to_owned(), password.to_owned())), ..self.clone() }
    }

    /// Starts a request to a path or to an absolute URL, such as a `Location`.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let url = if target.starts_with('/') { format!("{}{target}", self.url) } else { target.to_owned() };
        let request = self.http.request(method, url);
        match &self.credentials {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Response {
        send(self.request(Method::GET, path)).await
    }

    /// Pushes a blob with POST and PUT.
    pub async fn push_blob(&self, repository: &str, blob: &Blob) {
        let started = send(self.request(Method::POST, &format!("/v2/{repository}/blobs/uploads/"))).await;
        let started = expect(started, StatusCode::ACCEPTED).await;
        let location = started.headers().get(LOCATION).expect("an upload has a location");
        let location = location.to_str().expect("a location is text");
        let separator = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{separator}digest={}", blob.digest());
        let finished = send(self.request(Method::PUT, &target).body(blob.content.clone())).await;
        expect(finished, StatusCode::CREATED).await;
    }

    /// Pushes a manifest alone, under a tag or its digest.
    pub async fn push_manifest(&self, repository: &str, reference: &str, manifest: &Blob) -> Response {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let request = self.request(Method::PUT, &target).header(CONTENT_TYPE, &manifest.media_type);
        send(request.body(manifest.content.clone())).await
    }

    /// Pushes blobs and manifest, which must succeed.
    pub async fn push(&self, repository: &str, reference: &str, image: &Image) {
        for blob in image.blobs() {
            self.push_blob(repository, blob).await;
        }
        let pushed = self.push_manifest(repository, reference, image.manifest()).await;
        expect(pushed, StatusCode::CREATED).await;
    }

    /// Pulls a manifest's bytes, which must exist, with their media type.
    pub async fn pull_manifest(&self, repository: &str, reference: &str) -> Blob {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let request = self.request(Method::GET, &target).header(ACCEPT, "*/*");
        let answer = expect(send(request).await, StatusCode::OK).await;
        let media_type = answer.headers().get(CONTENT_TYPE).expect("a manifest has a type");
        let media_type = media_type.to_str().expect("a type is text").to_owned();
        Blob { media_type, content: body(answer).await }
    }

    /// Pulls a blob's bytes, which must exist.
    pub async fn pull_blob(&self, repository: &str, digest: &str) -> Bytes {
        let answer = self.get(&format!("/v2/{repository}/blobs/{digest}")).await;
        body(expect(answer, StatusCode::OK).await).await
    }

    /// Pulls a whole image, which must exist.
    pub async fn pull(&self, repository: &str, reference: &str) -> Image {
        let manifest = self.pull_manifest(repository, reference).await;
        let mut blobs = Vec::new();
        for descriptor in manifest.parsed().blobs() {
            let content = self.pull_blob(repository, &descriptor.digest.to_string()).await;
            blobs.push(Blob { media_type: descriptor.media_type.clone(), content });
        }
        Image::from_parts(manifest, blobs)
    }
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("the registry answers")
}

async fn body(answer: Response) -> Bytes {
    answer.bytes().await.expect("the answer is whole")
}

/// Fails with the registry's words unless the status is the expected one.
async fn expect(answer: Response, status: StatusCode) -> Response {
    if answer.status() == status {
        return answer;
    }
    let (got, url) = (answer.status(), answer.url().clone());
    panic!("{url}: {got} instead of {status}: {}", answer.text().await.unwrap_or_default());
}
