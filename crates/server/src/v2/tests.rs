//! The API through [`handle`], on a registry in a directory: what clients see, status, header and body.

use std::net::{IpAddr, Ipv4Addr};

use berth_access::{Access, Anonymous, User, UserAccess, hash_password};
use berth_blobs::{Blobs, Disk};
use berth_catalog::{Catalog, Clock};
use berth_oci::{Algorithm, Digest, media_type};
use http::{HeaderMap, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::context::Endpoint as Label;
use crate::proxy::Forwarded;
use crate::request_id::RequestId;

mod access;
mod blob;
mod list;
mod manifest;
mod read_only;
mod redirect;
mod referrer;
mod route;
mod upload;

/// A server without sockets.
struct Server {
    app: Arc<App>,
    directory: TempDir,
}

/// A request before it is sent.
struct Ask<'a> {
    server: &'a Server,
    request: http::request::Builder,
    body: Bytes,
    prefix: Option<String>,
}

/// A response, and what the request's context says afterwards.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    context: RequestContext,
}

impl Server {
    /// Everybody may do everything.
    fn open() -> Self {
        Self::new(
            Config::default(),
            &berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() },
        )
    }

    /// Anonymous callers may do what `anonymous` says; `ann` may write and `bob` read.
    fn with_users(anonymous: Anonymous) -> Self {
        let user = |name: &str, access| User {
            name: name.into(),
            password: hash_password("secret").unwrap(),
            access,
        };
        let users = vec![user("ann", UserAccess::Write), user("bob", UserAccess::Read)];
        let access = berth_access::Config { anonymous: Some(anonymous), users, ..Default::default() };
        Self::new(Config::default(), &access)
    }

    fn new(config: Config, access: &berth_access::Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(&directory.path().join("blobs"), 64).unwrap());
        Self::on(disk, directory, config, access, berth_registry::Storage::default())
    }

    /// With this blob store, and how it is used.
    fn on(
        blobs: Arc<dyn Blobs>,
        directory: TempDir,
        config: Config,
        access: &berth_access::Config,
        storage: berth_registry::Storage,
    ) -> Self {
        let limits =
            berth_registry::Limits { manifest_bytes: 20_000, blob_bytes: 10_000_000, ..Default::default() };
        let catalog = Catalog::open(&directory.path().join("berth.db"), Clock::system()).unwrap();
        let registry_config = berth_registry::Config { limits, storage, ..Default::default() };
        let registry = Registry::new(catalog, blobs, registry_config);
        let access = Access::new(access, registry.read_only()).unwrap();
        let app = App::new(config, access, registry, Clock::system());
        Self { app: Arc::new(app), directory }
    }

    fn ask(&self, method: &str, target: impl AsRef<str>) -> Ask<'_> {
        let request = Request::builder().method(method).uri(target.as_ref());
        Ask { server: self, request, body: Bytes::new(), prefix: None }
    }

    async fn get(&self, target: impl AsRef<str>) -> Reply {
        self.ask("GET", target).send().await
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        self.push_blob_as(repository, Algorithm::Sha256, content).await
    }

    async fn push_blob_as(&self, repository: &str, algorithm: Algorithm, content: &[u8]) -> Digest {
        let digest = Digest::of(algorithm, content);
        let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.ask("POST", target).body(content).send().await.expect(201);
        digest
    }

    /// Pushes an image without layers; what differs in `annotations` differs in its digest.
    async fn push_image(&self, repository: &str, reference: &str, more: &Value) -> (Digest, Bytes) {
        self.push_blob(repository, b"{}").await;
        let content = image(more);
        let digest = Digest::of(Algorithm::Sha256, &content);
        let reference = if reference.is_empty() { digest.to_string() } else { reference.to_owned() };
        self.ask("PUT", format!("/v2/{repository}/manifests/{reference}"))
            .header("content-type", media_type::OCI_MANIFEST)
            .body(&content)
            .send()
            .await
            .expect(201);
        (digest, content)
    }
}

/// An image manifest whose config is `{}`, with further fields.
fn image(more: &Value) -> Bytes {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": {
            "mediaType": media_type::EMPTY_JSON,
            "digest": Digest::of(Algorithm::Sha256, b"{}"),
            "size": 2,
        },
        "layers": [],
    });
    manifest.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    serde_json::to_vec(&manifest).unwrap().into()
}

impl Ask<'_> {
    fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    fn login(self, name: &str) -> Self {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let credentials = STANDARD.encode(format!("{name}:secret"));
        self.header("authorization", format!("Basic {credentials}"))
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(body);
        self
    }

    /// As a trusted proxy reports it.
    fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    async fn send(self) -> Reply {
        let request = self.request.body(Full::new(self.body)).unwrap();
        let mut context = RequestContext {
            request_id: RequestId::generate(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_version: Version::HTTP_11,
            method: request.method().clone(),
            uri: request.uri().clone(),
            user_agent: None,
            certificate: None,
            forwarded: Forwarded { prefix: self.prefix, ..Forwarded::default() },
            endpoint: Label::Unknown,
            caller: None,
            repository: None,
            reference: None,
            slot: None,
            error: None,
            verdict: None,
            digest: None,
        };
        let (head, body) = handle(&self.server.app, &mut context, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status, headers: head.headers, body, context }
    }
}

impl Reply {
    /// Asserts the status, and what holds for every answer.
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {:?}", self.headers, self.body);
        assert_eq!(self.header("docker-distribution-api-version"), "registry/2.0");
        self
    }

    /// Asserts that the request was refused, in the specification's words.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.header("content-type"), "application/json");
        let body = reply.json();
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty());
        reply
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The message of a refusal.
    fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The target of `Link`.
    fn next(&self) -> Option<String> {
        let link = self.headers.get("link")?.to_str().unwrap();
        Some(link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned())
    }
}
