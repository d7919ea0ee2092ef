//! Calls through [`handle`], on a registry in a directory, by everybody who may come.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_access::{
    Access, Accounts, BindingConfig, NewRobot, NewUser, OperatorGrants, PolicyConfig, RobotName, Sealer,
};
use berth_blobs::Disk;
use berth_catalog::event::Author;
use berth_catalog::{Catalog, Clock, project};
use berth_registry::Registry;
use http::HeaderMap;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::request_id::RequestId;

mod attack;
mod automation;
mod awaited;
mod change;
mod duty;
mod ends;
mod factor;
mod guess;
mod hands;
mod last;
mod matrix;
mod mighty;
mod shape;
mod slow;
mod token;

const PASSWORD: &str = "Open-Harbour-7";
const ROBOT: &str = "robot+team+ci";

/// Who is bound to which role, and in which project.
const PEOPLE: [(&str, &str, Option<&str>); 9] = [
    ("gus", "guest", Some("team")),
    ("dev", "developer", Some("team")),
    ("alice", "project-admin", Some("team")),
    ("bob", "project-admin", Some("other")),
    ("sys", "system-administrator", None),
    ("sec", "security-administrator", None),
    ("aud", "audit-administrator", None),
    ("root", "administrator", None),
    ("victim", "developer", Some("other")),
];

/// Seals nothing: what is sealed how is tested elsewhere.
struct Open;

impl Sealer for Open {
    fn seal(&self, _: &str, secret: &[u8]) -> Result<Vec<u8>, String> {
        Ok(secret.to_vec())
    }

    fn open(&self, _: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sealed.to_vec())
    }
}

/// A server without sockets.
struct Server {
    app: Arc<App>,
    calls: axum::Router,
    robot: String,
    _directory: TempDir,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    json: Value,
    context: RequestContext,
}

impl Server {
    /// Projects `team` and `other`, everybody of [`PEOPLE`], and a robot of `team`.
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut berth_access::Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("berth.db"), Clock::system()).unwrap();
        let disk = Arc::new(Disk::open(&directory.path().join("blobs"), 64).unwrap());
        let registry = Registry::new(catalog.clone(), disk, berth_registry::Config::default());
        let mut config = berth_access::Config {
            bindings: PEOPLE
                .iter()
                .map(|(name, role, project)| BindingConfig {
                    role: (*role).to_owned(),
                    subjects: vec![format!("user:{name}").parse().unwrap()],
                    project: project.map(ToOwned::to_owned),
                })
                .collect(),
            ..Default::default()
        };
        change(&mut config);
        let accounts = Accounts::new(catalog.clone(), &config, Some(Arc::new(Open)));
        for (name, ..) in PEOPLE {
            let (name, password) = (name.to_owned(), PASSWORD.to_owned());
            let new = NewUser { name, display_name: None, email: None, password, own_choice: true };
            accounts.create_user(new, &Author::from("test")).await.unwrap();
        }
        let now = catalog.clock().now();
        let made = catalog.write(async move |tx| {
            project::insert(tx, "team", false, "", now).await?;
            project::insert(tx, "other", false, "", now).await
        });
        assert!(made.await.unwrap());
        let robot = NewRobot {
            name: RobotName::parse(ROBOT).unwrap(),
            description: String::new(),
            policies: vec![PolicyConfig::of_project("team")],
            owner: "alice".into(),
            days: Some(1),
        };
        let (_, secret) = accounts.create_robot(robot, &OperatorGrants, &Author::from("test")).await.unwrap();
        let known = Some(accounts.clone());
        let access =
            Access::open_with_accounts(&config, registry.read_only(), &catalog, known).await.unwrap();
        let app = Arc::new(App::new(Config::default(), access, registry, Clock::system()));
        let calls = router(&app);
        let robot = secret.reveal().to_owned();
        Self { app, calls, robot, _directory: directory }
    }

    /// Asks as somebody, `anonymous` for nobody.
    async fn ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let headers = match &body {
            Some(_) => vec![("content-type", "application/json")],
            None => Vec::new(),
        };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(who, method, path, &headers, body).await
    }

    async fn send(
        &self,
        who: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Reply {
        let password = if who == ROBOT { &self.robot } else { PASSWORD };
        self.send_as(who, password, method, path, headers, body).await
    }

    async fn send_as(
        &self,
        who: &str,
        password: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if who != "anonymous" {
            let credentials = STANDARD.encode(format!("{who}:{password}"));
            request = request.header("authorization", format!("Basic {credentials}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let mut context = context(&request);
        let (head, body) = handle(&self.app, &self.calls, &mut context, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let reply = Reply { status: head.status.as_u16(), headers: head.headers, json, context };
        if reply.status >= 400 {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
            assert_eq!(reply.json["status"], reply.status, "{path}");
            assert!(!reply.json["detail"].as_str().unwrap().is_empty(), "{path}");
        }
        reply
    }
}

fn context<B>(request: &Request<B>) -> RequestContext {
    RequestContext::begin(request, RequestId::generate(), IpAddr::V4(Ipv4Addr::LOCALHOST))
}

impl Reply {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}: {}", self.context.method, self.context.uri, self.json);
        self
    }

    /// Asserts that it was refused for a reason.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.json["code"], code, "{}", reply.json);
        reply
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
