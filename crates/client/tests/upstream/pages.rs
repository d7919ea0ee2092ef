//! Lists of other registries, page by page.

use berth_client::Error;
use berth_oci::{Algorithm, Digest};

use crate::message::answer;
use crate::script::Script;

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
