use std::sync::Arc;

use berth_access::{Action as Asked, Caller};
use berth_audit::Config;
use berth_catalog::Clock;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::*;
use crate::request_id::RequestId;

fn context(method: Method, endpoint: Endpoint, caller: Option<Caller>) -> RequestContext {
    let request =
        Request::builder().method(method).header("user-agent", &b"evil\xff/1"[..]).body(()).unwrap();
    let begun = RequestContext::begin(&request, RequestId::generate(), [192, 0, 2, 7].into());
    let mut context = RequestContext {
        endpoint,
        repository: Some("library/app".parse().unwrap()),
        reference: Some("1".to_owned()),
        ..begun
    };
    context.caller = caller.map(|caller| caller.from(Arc::new(context.origin())));
    context
}

/// Returns what a request of nobody in particular is recorded as: action, outcome and reason.
fn recorded(context: &RequestContext, status: u16) -> Option<(&'static str, &'static str, Option<String>)> {
    let recorder = Recorder::new(&Config::default());
    let status = StatusCode::from_u16(status).unwrap();
    let (action, outcome, _, reason) = counts(&recorder, context, Some(status))?;
    Some((action.as_str(), outcome.as_str(), reason))
}

#[test]
fn what_is_handed_out_is_a_pull_and_what_only_asks_is_none() {
    for (method, endpoint, status, expected) in [
        (Method::GET, Endpoint::Manifest, 200, Some("pull")),
        (Method::GET, Endpoint::Manifest, 304, Some("pull")),
        (Method::GET, Endpoint::Manifest, 404, None),
        (Method::HEAD, Endpoint::Manifest, 200, None),
        (Method::PUT, Endpoint::Manifest, 201, None),
        (Method::DELETE, Endpoint::Manifest, 202, None),
        (Method::GET, Endpoint::Blob, 206, Some("pull")),
        (Method::GET, Endpoint::Blob, 307, Some("pull")),
        (Method::GET, Endpoint::Upload, 204, None),
        (Method::GET, Endpoint::Tags, 200, Some("list")),
        (Method::GET, Endpoint::Catalog, 200, Some("list")),
        (Method::GET, Endpoint::Referrers, 200, Some("list")),
        (Method::GET, Endpoint::Base, 200, None),
        (Method::GET, Endpoint::Metrics, 200, None),
    ] {
        let context = context(method.clone(), endpoint, Some(Caller::anonymous()));
        let action = recorded(&context, status).map(|(action, ..)| action);
        assert_eq!(action, expected, "{method} {endpoint:?} {status}");
    }
    let blob = context(Method::GET, Endpoint::Blob, Some(Caller::anonymous()));
    let off = Recorder::new(&Config { blobs: false, ..Config::default() });
    assert!(counts(&off, &blob, Some(StatusCode::OK)).is_none());
}

#[test]
fn refusals_are_recorded_and_challenges_are_not() {
    let denied = |caller| {
        let mut context = context(Method::PUT, Endpoint::Manifest, Some(caller));
        context.verdict = Some(Verdict::Denied { action: Asked::Push, reason: "forbidden".into() });
        context
    };
    let forbidden = Some(("push", "failure", Some("forbidden".to_owned())));
    assert_eq!(recorded(&denied(Caller::user("alice")), 403), forbidden);
    assert_eq!(recorded(&denied(Caller::anonymous()), 403), forbidden);
    assert_eq!(recorded(&denied(Caller::anonymous()), 401), None, "a challenge");
    let mut context = context(Method::GET, Endpoint::Manifest, None);
    context.verdict =
        Some(Verdict::NotProved { name: Some("alice".into()), who: None, reason: "wrong_password".into() });
    assert_eq!(recorded(&context, 401), Some(("login", "failure", Some("wrong_password".to_owned()))));
}

#[test]
fn a_look_at_the_trail_is_recorded_and_reading_on_is_not() {
    let recorder = Recorder::new(&Config::default());
    let look = |name: &str, part, status: u16| {
        let mut context = context(Method::POST, Endpoint::Audit, Some(Caller::user(name)));
        context.part = part;
        let status = StatusCode::from_u16(status).unwrap();
        counts(&recorder, &context, Some(status))
            .map(|(action, outcome, ..)| (action.as_str(), outcome.as_str()))
    };
    let read = Some(("read", "success"));
    assert_eq!(look("ann", None, 200), None, "what the index is like");
    assert_eq!(look("ann", Some("system/audit"), 400), None);
    assert_eq!(look("ann", Some("system/audit"), 200), read);
    assert_eq!(look("ann", Some("system/audit"), 200), None, "the same a moment later");
    assert_eq!(look("bob", Some("system/audit"), 200), read);
}

#[test]
fn a_note_says_what_the_request_was_about() {
    let recorder = Recorder::new(&Config { queue: 1000, ..Config::default() });
    let mut context = context(Method::GET, Endpoint::Manifest, Some(Caller::user("alice")));
    let mut headers = HeaderMap::new();
    headers.insert("docker-content-digest", HeaderValue::from_static("sha256:abc"));
    context.digest = digest(&headers);
    let pull = note(&Clock::system(), &context, Action::Pull, Outcome::Success, Who::Claimed(None));
    let note = about(pull, &context);
    assert_eq!((note.tag.as_deref(), note.digest.as_deref()), (Some("1"), Some("sha256:abc")));
    assert_eq!(note.repository.unwrap().as_str(), "library/app");
    assert_eq!(
        note.origin.agent.as_deref(),
        Some("evil\u{fffd}/1"),
        "what is no text is kept as far as it is"
    );
    // The pull, and before it the login that came with it.
    finished(&recorder, &Clock::system(), &context, Some(StatusCode::OK));
    assert_eq!(recorder.stats().waiting, 2);
    finished(&recorder, &Clock::system(), &context, Some(StatusCode::OK));
    assert_eq!(recorder.stats().waiting, 3);
}

#[test]
fn a_refused_call_says_which_it_was() {
    let request = Request::put("/api/v1/users/bob/password").body(()).unwrap();
    let mut context = RequestContext::begin(&request, RequestId::generate(), [192, 0, 2, 7].into());
    context.endpoint = Endpoint::Api;
    context.caller = Some(Caller::user("mallory"));
    // What is hidden is answered as if it were read.
    context.verdict = Some(Verdict::Denied { action: Asked::Read, reason: "not_found".into() });
    let (action, outcome, _) = recorded(&context, 404).unwrap();
    assert_eq!((action, outcome), ("access", "failure"), "who changes something is not recorded as a reader");
    let who = Who::Caller(Caller::user("mallory"));
    let note = about(note(&Clock::system(), &context, Action::Access, Outcome::Failure, who), &context);
    let called = note.called.unwrap();
    assert_eq!(
        (called.call.as_str(), called.user.as_deref()),
        ("PUT /api/v1/users/{user}/password", Some("bob"))
    );
}
