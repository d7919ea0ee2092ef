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
