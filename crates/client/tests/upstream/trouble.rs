//! Registries in trouble, and such as lie.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use berth_client::Error;
use berth_oci::{Algorithm, Digest, Reference};

use crate::message::answer;
use crate::script::Script;

#[tokio::test]
async fn who_asks_for_time_gets_it() {
    let turns = AtomicUsize::new(0);
    let registry = Script::start(move |_| match turns.fetch_add(1, Ordering::Relaxed) {
        0 => answer(429, &["retry-after: 1"], ""),
        1 => answer(503, &[], ""),
        _ => answer(200, &[], r#"{"tags":["1"]}"#),
    })
    .await;
    let begin = Instant::now();
    assert_eq!(registry.client().tags(&"a".parse().unwrap()).await.unwrap().unwrap(), ["1"]);
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(registry.asked().len(), 3);
}

#[tokio::test]
async fn patience_has_an_end() {
    let registry = Script::start(|asked| {
        if asked.line.contains("/v2/long/") {
            answer(429, &["retry-after: 86400"], "")
        } else {
            answer(500, &[], "")
        }
    })
    .await;
    let client = registry.client();
    let begin = Instant::now();
    let error = client.tags(&"long".parse().unwrap()).await.unwrap_err();
    assert!(error.is_outage() && begin.elapsed() < Duration::from_secs(1), "{error}");
    let error = client.tags(&"a".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Busy { status: 500, .. }), "{error}");
    assert_eq!(registry.asked().len(), 4);
    let nobody = Script::start(|_| String::new()).await;
    let error = nobody.client().tags(&"a".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_refused() {
    let registry = Script::start(|asked| {
        let lie = format!("docker-content-digest: {}", Digest::of(Algorithm::Sha256, b"another"));
        if asked.line.contains("/lying/") { answer(200, &[&lie], "{}") } else { answer(200, &[], "{}") }
    })
    .await;
    let client = registry.client();
    let tag: Reference = "1".parse().unwrap();
    let error = client.manifest(&"lying".parse().unwrap(), &tag).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    let wanted = Reference::from(Digest::of(Algorithm::Sha512, b"another"));
    let error = client.manifest(&"plain".parse().unwrap(), &wanted).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    let wanted = Reference::from(Digest::of(Algorithm::Sha512, b"{}"));
    let fetched = client.manifest(&"plain".parse().unwrap(), &wanted).await.unwrap().unwrap();
    assert_eq!((&fetched.content[..], fetched.media_type), (&b"{}"[..], None));
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused() {
    let registry = Script::start(|asked| {
        assert_eq!(asked.range.as_deref(), Some("bytes=5-"));
        if asked.line.contains("/whole/") {
            answer(200, &[], "0123456789")
        } else {
            answer(206, &["content-range: bytes 3-9/10"], "3456789")
        }
    })
    .await;
    let digest = Digest::of(Algorithm::Sha256, b"0123456789");
    let client = registry.client();
    let whole = client.blob(&"whole".parse().unwrap(), &digest, 5, None).await.unwrap().unwrap();
    assert_eq!(whole.offset, 0, "it knows no ranges");
    let error = client.blob(&"shifted".parse().unwrap(), &digest, 5, None).await.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn lists_come_in_pages_and_have_an_end() {
    let registry = Script::start(|asked| match asked.line.as_str() {
        "GET /v2/_catalog?n=1000" => answer(400, &[], ""),
        "GET /v2/_catalog" => {
            answer(200, &["link: </v2/_catalog?next_page=a=>; rel=\"next\""], r#"{"repositories":["a"]}"#)
        }
        "GET /v2/_catalog?next_page=a=" => answer(200, &[], r#"{"repositories":["B"]}"#),
        line if line.contains("/around/") => answer(200, &["link: <?n=1000>; rel=next"], r#"{"tags":null}"#),
        line if line.contains("/away/") => {
            answer(200, &["link: <http://127.0.0.2/>; rel=next"], r#"{"tags":[]}"#)
        }
        _ => answer(404, &[], ""),
    })
    .await;
    let client = registry.client();
    assert_eq!(client.repositories().await.unwrap(), ["a", "B"]);
    assert_eq!(client.tags(&"gone".parse().unwrap()).await.unwrap(), None);
    for name in ["around", "away"] {
        let error = client.tags(&name.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn lists_grow_to_a_bound_over_all_their_pages() {
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let registry = Script::start(move |asked| {
        let page: usize = asked.line.rsplit_once("page=").map_or(0, |(_, page)| page.parse().unwrap());
        let link = format!("link: <?page={}>; rel=next", page + 1);
        let body = if asked.line.contains("/referrers/") {
            format!(r#"{{"manifests":[{{"digest":"{digest}"}},{{"digest":"{digest}"}}]}}"#)
        } else {
            r#"{"tags":["12345","12345"],"repositories":["12345","12345"]}"#.to_owned()
        };
        answer(200, &[&link], &body)
    })
    .await;
    let name = "a".parse().unwrap();
    let few = registry.client_with(|limits| limits.entries = 5);
    for error in [
        few.tags(&name).await.unwrap_err(),
        few.repositories().await.unwrap_err(),
        few.referrers(&name, &digest).await.unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("it has more than 5 entries"), "{error}");
    }
    assert_eq!(registry.asked().len(), 9);
    let small = registry.client_with(|limits| limits.entry_bytes = 25);
    let error = small.tags(&name).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 25, .. }), "{error}");
    assert_eq!(registry.asked().len(), 12);
}

#[tokio::test]
async fn a_registry_without_referrers_is_asked_once() {
    let registry = Script::start(|_| answer(404, &[], "")).await;
    let (client, digest) = (registry.client(), Digest::of(Algorithm::Sha256, b"x"));
    for _ in 0..3 {
        assert_eq!(client.referrers(&"a".parse().unwrap(), &digest).await.unwrap(), None);
    }
    assert_eq!(registry.asked().len(), 1);
}
