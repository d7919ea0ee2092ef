//! Bodies that are held back until whoever sends them has been stopped.

use std::io;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

const JSON: &str = "application/json";

/// What is done on this node while a body comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Nothing,
    Disable,
    LogOut,
    /// Takes a role in project `team` away.
    Unbind(i64),
    DeleteRobot,
}

impl Stop {
    async fn work(self, app: Arc<App>) {
        let (accounts, by) = (app.access.accounts().unwrap(), Author::from("test"));
        match self {
            Self::Nothing => {}
            Self::Disable => accounts.disable_user("dev", true, &by).await.unwrap(),
            Self::LogOut => accounts.log_out_everywhere("dev", &by).await.unwrap(),
            Self::Unbind(id) => {
                let root = app.access.log_in("root", PASSWORD, None).await.unwrap();
                app.manage().unwrap().unbind(&root, Some("team"), id).await.unwrap();
            }
            Self::DeleteRobot => {
                accounts.delete_robot(&RobotName::parse(ROBOT).unwrap(), &by).await.unwrap();
            }
        }
        app.access.refresh().await.unwrap();
    }
}

/// A body of which the first byte comes at once, and the rest when something has been done.
fn held_back(
    app: &Arc<App>,
    stop: Stop,
    content: &[u8],
) -> StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>> {
    let (app, content) = (Arc::clone(app), Bytes::copy_from_slice(content));
    let begin = content.slice(..1);
    let rest = stream::once(async move {
        stop.work(app).await;
        content.slice(1..)
    });
    StreamBody::new(stream::once(async { begin }).chain(rest).map(|bytes| Ok(Frame::data(bytes))).boxed())
}

/// Sends a request whose body is held back; returns the status, and the answer.
async fn send(
    server: &Server,
    authorization: &str,
    (method, path): (&str, &str),
    kind: &str,
    stop: Stop,
    content: &[u8],
) -> (u16, HeaderMap) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.header("authorization", authorization);
    let request = request.body(held_back(&server.app, stop, content)).unwrap();
    let mut cx = context(&request);
    let response = if path.starts_with("/v2/") {
        crate::v2::handle(&server.app, &mut cx, request).await
    } else {
        handle(&server.app, &server.calls, &mut cx, request).await
    };
    (response.status().as_u16(), response.headers().clone())
}

fn basic(who: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{who}:{password}")))
}

#[tokio::test]
async fn who_was_stopped_meanwhile_makes_no_password_for_a_client() {
    for (stop, expected) in [(Stop::Nothing, 201), (Stop::Disable, 401), (Stop::LogOut, 401)] {
        let server = Server::start().await;
        let caller = server.app.access.log_in("dev", PASSWORD, None).await.unwrap();
        let (token, _) = server.app.manage().unwrap().create_token(&caller).await.unwrap();
        let content = br#"{ "name": "kept", "days": 365 }"#;
        let call = ("POST", "/api/v1/me/application-passwords");
        let by_token = format!("Bearer {}", token.reveal());
        assert_eq!(send(&server, &by_token, call, JSON, stop, content).await.0, expected, "{stop:?}");
        let server = Server::start().await;
        let basic = basic("dev", PASSWORD);
        assert_eq!(send(&server, &basic, call, JSON, stop, content).await.0, expected, "{stop:?}");
        let kept = server.app.access.accounts().unwrap().application_passwords("dev").await.unwrap();
        assert_eq!(kept.is_empty(), expected != 201);
    }
}

/// A server on which `victim` may push to project `team` by a role that can be taken away, and that role's number.
async fn with_member() -> (Server, i64) {
    let server = Server::start().await;
    let new = json!({ "subject": "user:victim", "role": "developer" });
    let made = server.ask("alice", "POST", "/projects/team/members", Some(new)).await.expect(201);
    let id = made.json["id"].as_i64().unwrap();
    (server, id)
}

const BLOB: &[u8] = b"{}";

#[tokio::test]
async fn a_push_that_was_held_back_does_not_outlive_the_right_to_it() {
    let digest = berth_oci::Digest::of(berth_oci::Algorithm::Sha256, BLOB);
    let whole = format!("/v2/team/app/blobs/uploads/?digest={digest}");
    let index =
        br#" {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let kind = "application/vnd.oci.image.index.v1+json";
    let manifest = ("PUT", "/v2/team/app/manifests/latest");
    for stops in [false, true] {
        let (server, id) = with_member().await;
        let stop = if stops { Stop::Unbind(id) } else { Stop::Nothing };
        let victim = basic("victim", PASSWORD);
        let (status, _) = send(&server, &victim, manifest, kind, stop, index).await;
        assert_eq!(status, if stops { 403 } else { 201 });

        let (server, id) = with_member().await;
        let stop = if stops { Stop::Unbind(id) } else { Stop::Nothing };
        let (status, _) = send(&server, &victim, ("POST", &whole), "", stop, BLOB).await;
        assert_eq!(status, if stops { 403 } else { 201 });

        let (server, id) = with_member().await;
        let stop = if stops { Stop::Unbind(id) } else { Stop::Nothing };
        let start = ("POST", "/v2/team/app/blobs/uploads/");
        let (status, headers) = send(&server, &victim, start, "", Stop::Nothing, b"x").await;
        assert_eq!(status, 202);
        let location = headers["location"].to_str().unwrap();
        let (status, _) = send(&server, &victim, ("PATCH", location), "", stop, BLOB).await;
        assert_eq!(status, if stops { 403 } else { 202 });

        let server = Server::start().await;
        let stop = if stops { Stop::DeleteRobot } else { Stop::Nothing };
        let robot = basic(ROBOT, &server.robot);
        let (status, _) = send(&server, &robot, manifest, kind, stop, index).await;
        assert_eq!(status, if stops { 401 } else { 201 });
    }
}

#[tokio::test]
async fn small_bodies_must_be_there_in_time() {
    let server = Server::start().await;
    // Believed from here on, so no thread is waited for.
    server.ask("root", "GET", "/me", None).await.expect(200);
    tokio::time::pause();
    let never = || {
        let first = stream::once(async { Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"{"))) });
        StreamBody::new(first.chain(stream::pending()).boxed())
    };
    for path in ["/api/v1/projects", "/v2/team/app/manifests/latest"] {
        let request = Request::put(path).header("content-type", JSON);
        let request = request.header("authorization", basic("root", PASSWORD)).body(never()).unwrap();
        let mut cx = context(&request);
        let begun = tokio::time::Instant::now();
        let status = if path.starts_with("/v2/") {
            crate::v2::handle(&server.app, &mut cx, request).await.status()
        } else {
            handle(&server.app, &server.calls, &mut cx, request).await.status()
        };
        assert_eq!(status, 408, "{path}");
        assert_eq!(begun.elapsed().as_secs(), 60, "{path}");
    }
}
