use berth_audit::{Action, Note, Outcome, Recorder, Who};
use berth_catalog::Clock;

use super::*;

/// Has no room for another record.
fn full(strict: bool) -> Recorder {
    let recorder = Recorder::new(&berth_audit::Config { strict, queue: 1000, ..Default::default() });
    for n in 0..1000 {
        recorder.record(Note {
            at: Clock::system().now(),
            action: Action::Pull,
            outcome: Outcome::Success,
            who: Who::Claimed(None),
            origin: Arc::new(berth_access::Origin::new(Ipv4Addr::LOCALHOST.into(), None, "r")),
            repository: None,
            tag: Some(n.to_string()),
            digest: None,
            status: None,
            reason: None,
            part: None,
            called: None,
        });
    }
    recorder
}

#[tokio::test]
async fn nothing_that_is_recorded_is_done_while_it_cannot_be() {
    let doors = [
        ("GET", "/v2/"),
        ("GET", "/v2/library/app/manifests/1"),
        ("GET", "/token?service=berth"),
        ("POST", "/service/token"),
        ("POST", "/api/v1/audit/_search"),
        ("GET", "/api/v1/me"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/login/oidc/corp/callback"),
    ];
    let server =
        Server::build(Anonymous::Read, Config::default(), |_| {}, |app| app.record_to(full(true))).await;
    for (method, target) in doors {
        let reply = server.send(method, target, &[], "").await;
        assert_eq!(reply.status, 503, "{method} {target}");
        assert!(reply.context.caller.is_none(), "{target}: nobody is looked at");
        if !target.starts_with("/login") {
            assert_eq!(reply.headers["retry-after"], "1", "{target}");
        }
        let text = String::from_utf8_lossy(&reply.body);
        assert!(text.contains("recorded"), "{target}: {text}");
    }
    // What nobody records goes on.
    for target in ["/healthz", "/.well-known/jwks.json", "/login/style.css"] {
        assert_eq!(server.get(target, &[]).await.status, 200, "{target}");
    }
    let server =
        Server::build(Anonymous::Read, Config::default(), |_| {}, |app| app.record_to(full(false))).await;
    for (method, target) in doors {
        let reply = server.send(method, target, &[], "").await;
        assert_ne!(reply.status, 503, "{method} {target}");
    }
}
