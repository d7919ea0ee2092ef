//! `/token` and the challenges of `/v2/` through the router: what clients see.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_access::{Access, Anonymous, Tokens, User, UserAccess, hash_password};
use berth_blobs::Disk;
use berth_catalog::{Catalog, Clock};
use berth_oci::{Algorithm, Digest};
use berth_registry::Registry;
use berth_vault::{Key, Vault};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tempfile::TempDir;

use crate::app::App;
use crate::config::{Config, Tls};
use crate::context::{Endpoint, RequestContext};
use crate::proxy::Forwarded;
use crate::request_id::RequestId;
use crate::router::Router;

mod challenge;
mod doors;
mod flow;
mod oauth2;
mod refused;
mod scope;
mod unrecorded;

/// A server without sockets, in which `ann` may write and `bob` read.
struct Server {
    app: Arc<App>,
    router: Router,
    _directory: TempDir,
}

/// A response.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    context: RequestContext,
}

impl Server {
    async fn new(anonymous: Anonymous) -> Self {
        Self::with(anonymous, Config::default(), |_| {}).await
    }

    async fn with(
        anonymous: Anonymous,
        http: Config,
        change: impl FnOnce(&mut berth_access::Config),
    ) -> Self {
        Self::build(anonymous, http, change, |app| app).await
    }

    async fn build(
        anonymous: Anonymous,
        http: Config,
        change: impl FnOnce(&mut berth_access::Config),
        finish: impl FnOnce(App) -> App,
    ) -> Self {
        let user = |name: &str, access| User {
            name: name.into(),
            password: hash_password("secret").unwrap(),
            access,
        };
        let users = vec![user("ann", UserAccess::Write), user("bob", UserAccess::Read)];
        let mut config = berth_access::Config { anonymous: Some(anonymous), users, ..Default::default() };
        change(&mut config);
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(&directory.path().join("blobs"), 64).unwrap());
        let catalog = Catalog::open(&directory.path().join("berth.db"), Clock::system()).unwrap();
        let vault = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
        let registry = Registry::new(catalog.clone(), disk, berth_registry::Config::default());
        let mut access = Access::open(&config, registry.read_only(), &catalog).await.unwrap();
        if config.tokens.enabled {
            access = access.with_tokens(Tokens::new(&config.tokens, catalog, vault));
        }
        let app = Arc::new(finish(App::new(http, access, registry, Clock::system())));
        Self { router: Router::new(&app), app, _directory: directory }
    }

    async fn send(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Reply {
        self.send_from(Forwarded::default(), method, target, fields, body).await
    }

    /// As a trusted proxy reports it.
    async fn send_from(
        &self,
        forwarded: Forwarded,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(target);
        if !fields.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "registry.example:5000");
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let begun = RequestContext::begin(&request, RequestId::generate(), client);
        let mut context = RequestContext { forwarded, ..begun };
        let (head, body) = self.router.route(&self.app, &mut context, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status, headers: head.headers, body, context }
    }

    async fn get(&self, target: &str, fields: &[(&str, &str)]) -> Reply {
        self.send("GET", target, fields, "").await
    }

    /// Gets a token as docker does.
    async fn token(&self, name: &str, scope: &str) -> String {
        let target = format!("/token?service=berth&scope={scope}");
        let reply = if name.is_empty() {
            self.get(&target, &[]).await
        } else {
            self.get(&target, &[("authorization", &basic(name, "secret"))]).await
        };
        reply.expect(200).json()["token"].as_str().unwrap().to_owned()
    }

    /// Calls with a token.
    async fn bear(&self, token: &str, method: &str, target: &str) -> Reply {
        self.send(method, target, &[("authorization", &format!("Bearer {token}"))], "").await
    }

    /// Brings a blob in by ann's password.
    async fn push_blob(&self, repository: &str, content: &str) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
        let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let fields = [("authorization", &*basic("ann", "secret"))];
        self.send("POST", &target, &fields, content).await.expect(201);
        digest
    }
}

impl Reply {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {:?}", self.headers, self.body);
        self
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    fn challenge(&self) -> &str {
        self.header("www-authenticate")
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn with_tls() -> Config {
    let tls = Tls::new("certificate.pem", "key.pem");
    Config { tls: Some(tls), ..Config::default() }
}
