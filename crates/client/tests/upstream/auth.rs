//! Credentials go where they belong, and nowhere else.

use berth_client::Error;
use berth_oci::{Algorithm, Digest};
use futures_util::TryStreamExt as _;

use crate::message::answer;
use crate::script::Script;

// base64 of ann:secret
const BASIC: &str = "Basic YW5uOnNlY3JldA==";

#[tokio::test]
async fn a_token_is_fetched_once_for_a_scope_and_again_when_it_is_refused() {
    let tokens = Script::start(|asked| {
        let sound = asked.authorization.as_deref() == Some(BASIC)
            && asked.line.contains("service=old+registry")
            && asked.line.contains("account=ann");
        if !sound {
            return answer(401, &[], "");
        }
        let scope = if asked.line.contains("repository%3Aa%3Apull") { "a" } else { "b" };
        // For ever, says one.
        let life = if scope == "a" { 300 } else { u64::MAX };
        answer(200, &[], &format!(r#"{{"token":"for-{scope}","expires_in":{life}}}"#))
    })
    .await;
    let realm = format!("http://{}/token", tokens.host);
    let registry = Script::start(move |asked| {
        let repository = if asked.line.contains("/v2/a/") { "a" } else { "b" };
        if asked.authorization != Some(format!("Bearer for-{repository}")) {
            let challenge = format!(
                "www-authenticate: Bearer realm=\"{realm}\",service=\"old registry\",scope=\"repository:{repository}:pull\""
            );
            return answer(401, &[&challenge], "");
        }
        answer(200, &[], r#"{"name":"x","tags":["1"]}"#)
    })
    .await;
    let client = registry.client();
    for name in ["a", "b", "a", "a"] {
        assert_eq!(client.tags(&name.parse().unwrap()).await.unwrap().unwrap(), ["1"]);
    }
    assert_eq!(tokens.lines().len(), 2, "{:?}", tokens.lines());
    assert_eq!(registry.asked().len(), 6);
    assert!(registry.asked().iter().all(|asked| asked.authorization.as_deref() != Some(BASIC)));
}

#[tokio::test]
async fn a_refusal_says_what_the_registry_said_and_no_secret() {
    let registry = Script::start(|asked| {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"not you"}]}"#;
        assert!(asked.authorization.is_none() || asked.authorization.as_deref() == Some(BASIC));
        answer(401, &["www-authenticate: Basic realm=\"x\""], body)
    })
    .await;
    let error = registry.client().tags(&"a".parse().unwrap()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Denied { status: 401, .. }), "{text}");
    assert!(
        text.contains("not you") && text.contains("check the credentials") && !text.contains("secret"),
        "{text}"
    );
    assert_eq!(registry.asked().len(), 2, "once without, once with credentials");
}

#[tokio::test]
async fn another_host_is_shown_nothing_and_secrets_of_the_machine_are_not_asked_for() {
    let content = "the bytes of a blob";
    let storage = Script::start(move |_| answer(200, &[], content)).await;
    let elsewhere = format!("location: http://{}/blob?sign=x", storage.host);
    let registry = Script::start(move |asked| {
        if asked.authorization.is_none() {
            return answer(401, &["www-authenticate: Basic realm=\"x\""], "");
        }
        if asked.line.contains("/v2/inside/") {
            return answer(307, &["location: http://169.254.169.254/latest/meta-data/"], "");
        }
        if asked.line.contains("/v2/around/") {
            return answer(302, &["location: ?"], "");
        }
        answer(307, &[&elsewhere], "")
    })
    .await;
    let (client, digest) = (registry.client(), Digest::of(Algorithm::Sha256, content.as_bytes()));
    let body = client.blob(&"a".parse().unwrap(), &digest, 0, None).await.unwrap().unwrap();
    let bytes: Vec<_> = body.bytes.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), content.as_bytes());
    assert_eq!(storage.asked()[0].line, "GET /blob?sign=x");
    assert_eq!(storage.asked()[0].authorization, None);
    assert_eq!(registry.asked()[1].authorization.as_deref(), Some(BASIC));

    let error = client.blob(&"inside".parse().unwrap(), &digest, 0, None).await.unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error}");
    let error = client.blob(&"around".parse().unwrap(), &digest, 0, None).await.unwrap_err();
    assert!(error.to_string().contains("redirected more than"), "{error}");
}

#[tokio::test]
async fn harbor_tells_everybody_what_he_may_see() {
    let registry = Script::start(|asked| match asked.line.as_str() {
        line if line.starts_with("GET /v2/_catalog") => {
            answer(401, &["www-authenticate: Basic realm=\"harbor\""], "{}")
        }
        "GET /api/v2.0/repositories?page=1&page_size=100"
            if asked.authorization.as_deref() == Some(BASIC) =>
        {
            answer(200, &[], r#"[{"id":1,"name":"library/app"},{"id":2,"name":"team/tool"}]"#)
        }
        _ => answer(404, &[], ""),
    })
    .await;
    assert_eq!(registry.client().repositories().await.unwrap(), ["library/app", "team/tool"]);
}
