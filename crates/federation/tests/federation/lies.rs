//! Tokens and issuers that tell lies.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use berth_access::federation::Refused;
use berth_federation::Workloads;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::issuer::{Issuer, Key, encoded};
use crate::jobs::{exchange, one, policy};

fn workloads(issuer: &Issuer) -> Workloads {
    Workloads::new(&[policy(&issuer.url, &[("sub", one("somebody"))])]).unwrap()
}

async fn said(workloads: &Workloads, token: &str) -> String {
    match exchange(workloads, token).await {
        Err(Refused::Token(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Signs as who knows no private key: with what everybody can read.
fn symmetric(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    let signature = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{message}.{signature}")
}

#[tokio::test]
async fn a_token_can_not_say_how_it_is_to_be_checked() {
    let (key, evil) = (Key::new("1"), Key::new("evil"));
    let issuer = Issuer::start(&[&key]).await;
    let (workloads, claims) = (workloads(&issuer), issuer.claims(json!({})));
    assert!(exchange(&workloads, &key.sign(&claims)).await.is_ok());

    for algorithm in ["none", "None", "NONE", "HS256", "HS512", "RS1", "ES256K", "", "es256"] {
        let header = json!({"alg": algorithm, "kid": "1", "typ": "JWT"});
        let public = key.public().to_string();
        for token in [
            symmetric(&header, &claims, public.as_bytes()),
            symmetric(&header, &claims, public_point(&key).as_bytes()),
            symmetric(&header, &claims, b""),
            format!("{}.{}.", encoded(&header), encoded(&claims)),
            key.sign_as(&header, &claims),
        ] {
            let reason = said(&workloads, &token).await;
            assert!(reason.contains("which is not accepted"), "{algorithm}: {reason}");
        }
    }
    // Algorithms that are fine, but not with this key.
    for algorithm in ["RS256", "PS256", "ES384", "EdDSA"] {
        let token = key.sign_as(&json!({"alg": algorithm, "kid": "1"}), &claims);
        assert_eq!(said(&workloads, &token).await, "it is signed by a key that its issuer does not show");
    }
    // A key that comes along, or from where the token says.
    for header in [
        json!({"alg": "ES256", "kid": "evil", "jwk": evil.public()}),
        json!({"alg": "ES256", "jwk": evil.public()}),
        json!({"alg": "ES256", "kid": "1", "jwk": evil.public()}),
        json!({"alg": "ES256", "kid": "1", "jku": "http://127.0.0.1:1/keys"}),
        json!({"alg": "ES256", "kid": "1", "x5u": "http://127.0.0.1:1/keys", "x5c": ["eA=="]}),
        json!({"alg": "ES256", "kid": "../../../dev/null"}),
    ] {
        let reason = said(&workloads, &evil.sign_as(&header, &claims)).await;
        let known = ["it is signed by a key that its issuer does not show", "its signature is wrong"];
        assert!(known.contains(&reason.as_str()), "{header}: {reason}");
    }
    let critical = key.sign_as(&json!({"alg": "ES256", "kid": "1", "crit": ["b64"], "b64": false}), &claims);
    assert!(said(&workloads, &critical).await.contains("its header asks for"));
}

fn public_point(key: &Key) -> String {
    let public = key.public();
    format!("{}{}", public["x"].as_str().unwrap(), public["y"].as_str().unwrap())
}

#[tokio::test]
async fn a_token_that_was_changed_or_is_none_proves_nothing() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]).await;
    let (workloads, claims) = (workloads(&issuer), issuer.claims(json!({})));
    let token = key.sign(&claims);
    let parts: Vec<&str> = token.split('.').collect();
    let other = encoded(&issuer.claims(json!({"sub": "somebody", "admin": true})));
    assert_eq!(
        said(&workloads, &format!("{}.{other}.{}", parts[0], parts[2])).await,
        "its signature is wrong"
    );
    let flipped = if parts[2].starts_with('A') { "B" } else { "A" };
    let flipped = format!("{}.{}.{flipped}{}", parts[0], parts[1], &parts[2][1..]);
    assert_eq!(said(&workloads, &flipped).await, "its signature is wrong");
    let long = format!("{}.{}.{}", parts[0], "A".repeat(40_000), parts[2]);
    for nonsense in
        ["", ".", "..", "...", "a.b.c", parts[0], &format!("{token}.x"), &format!(" {token}"), &long]
    {
        assert_eq!(said(&workloads, nonsense).await, "it is no signed token (JWS)", "{nonsense:.40}");
    }
}

#[tokio::test]
async fn a_token_is_good_in_its_time_only() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]).await;
    let workloads = workloads(&issuer);
    let now = berth_catalog::Clock::system().now().as_second();
    for (change, expected) in [
        (json!({"exp": now - 60}), "it has expired"),
        (json!({"exp": null}), "it says nothing of its end (exp)"),
        (json!({"exp": "tomorrow"}), "it says nothing of its end (exp)"),
        (json!({"exp": 1e300}), "it says nothing of its end (exp)"),
        (json!({"nbf": now + 120}), "it is not valid yet: are the clocks right?"),
        (json!({"iat": now + 120}), "it is not valid yet: are the clocks right?"),
    ] {
        assert_eq!(said(&workloads, &key.sign(&issuer.claims(change.clone()))).await, expected, "{change}");
    }
    // Clocks differ a little, and some write fractions.
    let near = issuer.claims(
        json!({"exp": now - 5, "nbf": now + 5, "iat": f64::from(i32::try_from(now % 1000).unwrap())}),
    );
    assert!(exchange(&workloads, &key.sign(&near)).await.is_ok());
}

#[tokio::test]
async fn keys_that_are_none_are_left_out() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[]).await;
    let mut for_encryption = Key::new("1").public();
    for_encryption["use"] = "enc".into();
    let mut for_another = Key::new("1").public();
    for_another["alg"] = "ES384".into();
    issuer.show(&[
        json!({"kty": "oct", "kid": "1", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "unheard of", "kid": "1"}),
        json!("nonsense"),
        for_encryption,
        for_another,
        key.public(),
    ]);
    let workloads = workloads(&issuer);
    assert!(exchange(&workloads, &key.sign(&issuer.claims(json!({})))).await.is_ok());
    // Of two that could be meant, neither is.
    let without_id = key.sign_as(&json!({"alg": "ES256"}), &issuer.claims(json!({})));
    assert!(exchange(&workloads, &without_id).await.is_ok());
    let issuer = Issuer::start(&[&key, &Key::new("2")]).await;
    let workloads = Workloads::new(&[policy(&issuer.url, &[("sub", one("somebody"))])]).unwrap();
    let without_id = key.sign_as(&json!({"alg": "ES256"}), &issuer.claims(json!({})));
    assert_eq!(said(&workloads, &without_id).await, "it is signed by a key that its issuer does not show");
}

#[tokio::test]
async fn an_issuer_is_who_it_was_configured_to_be() {
    let key = Key::new("1");
    for lie in ["issuer", "place", "nothing", "large"] {
        let issuer = Issuer::start(&[&key]).await;
        let url = issuer.url.clone();
        *issuer.state.discovery.lock() = match lie {
            "issuer" => json!({"issuer": "https://evil.example", "jwks_uri": format!("{url}/keys")}),
            "place" => json!({"issuer": url, "jwks_uri": "http://169.254.169.254/keys"}),
            "nothing" => json!({"issuer": url}),
            _ => json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "x": "x".repeat(2 << 20)}),
        };
        let refused = exchange(&workloads(&issuer), &key.sign(&issuer.claims(json!({})))).await.unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_)), "{lie}: {refused:?}");
        assert_eq!(issuer.state.asked.load(Ordering::Relaxed), 0, "{lie}");
    }
}

#[tokio::test]
async fn keys_change_and_stay_when_nobody_can_be_asked() {
    let (first, second) = (Key::new("1"), Key::new("2"));
    let issuer = Issuer::start(&[&first]).await;
    let workloads = workloads(&issuer);
    let claims = issuer.claims(json!({}));
    assert!(exchange(&workloads, &first.sign(&claims)).await.is_ok());
    issuer.show(&[second.public()]);
    // Made-up keys make us ask once in a while, not each time.
    for _ in 0..50 {
        assert!(exchange(&workloads, &Key::new("x").sign(&claims)).await.is_err());
    }
    assert!(issuer.state.asked.load(Ordering::Relaxed) <= 2);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(exchange(&workloads, &second.sign(&claims)).await.is_ok());
    assert!(exchange(&workloads, &first.sign(&claims)).await.is_err());
    issuer.stop();
    assert!(exchange(&workloads, &second.sign(&claims)).await.is_ok());
}
