//! Tokens that nobody here signed, or that were signed for something else.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Node, decoded, encoded};
use crate::token::key::NewPair;
use crate::{Anonymous, Unauthenticated};
use berth_vault::{Vault, context};

const FOREIGN: Unauthenticated = Unauthenticated::InvalidToken("is none of this registry's");

/// The parts of a token that would be right.
async fn right(node: &Node) -> (String, Value, Value) {
    let token = node.issue("bob", "repository:a/b:pull").await.token;
    let (header, claims) = (decoded(&token, 0), decoded(&token, 1));
    (token, header, claims)
}

/// A private key that nobody here knows.
fn stranger(vault: &Vault) -> EncodingKey {
    let pair = NewPair::generate(vault).unwrap();
    EncodingKey::from_ec_der(&vault.open(&context::signing_key(&pair.kid), &pair.sealed).unwrap())
}

/// The key that signs here, in a test's hands.
async fn own(node: &Node) -> EncodingKey {
    let rows = node.catalog.read(async |r| berth_catalog::signing_key::list(r).await).await.unwrap();
    EncodingKey::from_ec_der(&node.vault.open(&context::signing_key(&rows[0].kid), &rows[0].sealed).unwrap())
}

#[tokio::test]
async fn another_algorithm_is_never_obeyed() {
    let node = Node::new(Anonymous::None).await;
    let (token, header, claims) = right(&node).await;
    let signature = token.rsplit_once('.').unwrap().1;
    let public = serde_json::to_string(&node.tokens.public_keys()).unwrap();
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "ES384", "RS256", "PS256", "EdDSA", ""] {
        let mut header = header.clone();
        header["alg"] = alg.into();
        let message = format!("{}.{}", encoded(&header), encoded(&claims));
        for signature in [signature, ""] {
            assert_eq!(node.show(&format!("{message}.{signature}")).await, Err(FOREIGN), "{alg:?}");
        }
    }
    // The public key taken for the secret of an HMAC.
    let kid = header["kid"].as_str().map(ToOwned::to_owned);
    for secret in [public.as_bytes(), b""] {
        let header = Header { kid: kid.clone(), ..Header::new(Algorithm::HS256) };
        let forged = encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(node.show(&forged).await, Err(FOREIGN));
    }
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_never_used() {
    let node = Node::new(Anonymous::None).await;
    let (_, header, claims) = right(&node).await;
    let key = stranger(&node.vault);
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    let kid = header["kid"].as_str().map(ToOwned::to_owned);
    let es256 = || Header { kid: kid.clone(), ..Header::new(Algorithm::ES256) };
    for header in [
        es256(),
        Header { jwk: Some(jwk.clone()), ..es256() },
        Header { jwk: Some(jwk), kid: None, ..es256() },
        Header { jku: Some("https://evil.example/jwks.json".into()), ..es256() },
        Header { x5u: Some("https://evil.example/cert".into()), ..es256() },
        Header { x5c: Some(vec!["MIIB".into()]), ..es256() },
        Header { kid: Some("../../etc/passwd".into()), ..es256() },
        Header { kid: Some(String::new()), ..es256() },
        Header { kid: None, ..es256() },
    ] {
        assert_eq!(node.show(&encode(&header, &claims, &key).unwrap()).await, Err(FOREIGN), "{header:?}");
    }
    // Even right signatures don't make up for such a header.
    let own = own(&node).await;
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&own, Algorithm::ES256).unwrap();
    for header in [
        Header { jwk: Some(jwk), ..es256() },
        Header { crit: Some(vec!["exp".into()]), ..es256() },
        Header { jku: Some("https://registry.example/jwks.json".into()), ..es256() },
    ] {
        assert_eq!(node.show(&encode(&header, &claims, &own).unwrap()).await, Err(FOREIGN), "{header:?}");
    }
    assert!(
        node.show(&encode(&es256(), &claims, &own).unwrap()).await.is_ok(),
        "the test signs as the node does"
    );
}

#[tokio::test]
async fn claims_that_differ_from_ours_are_refused_though_signed() {
    let node = Node::new(Anonymous::None).await;
    let (_, header, claims) = right(&node).await;
    let own = own(&node).await;
    let header =
        Header { kid: header["kid"].as_str().map(ToOwned::to_owned), ..Header::new(Algorithm::ES256) };
    let sign = |claims: &Value| encode(&header, claims, &own).unwrap();
    for (name, value) in [
        ("aud", json!("other")),
        ("aud", json!(["other", "berth-x"])),
        ("aud", json!(null)),
        ("iss", json!("https://other.example")),
        ("sub", json!(null)),
        ("exp", json!(null)),
        ("exp", json!("1800000000")),
        ("nbf", json!(null)),
        ("iat", json!(1)),
        ("access", json!(null)),
        ("access", json!([{"type": "project", "name": "a", "actions": ["administer"]}])),
        ("access", json!([{"type": "repository", "name": "A", "actions": ["pull"]}])),
        ("berth", json!({"kind": "work", "proof": "order", "at": 1})),
        ("berth", json!(null)),
    ] {
        let mut changed = claims.clone();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        } else {
            changed[name] = value.clone();
        }
        assert_eq!(node.show(&sign(&changed)).await, Err(FOREIGN), "{name} {value}");
    }
    let mut changed = claims.clone();
    changed["berth"]["kind"] = "work".into();
    assert_eq!(node.show(&sign(&changed)).await, Err(FOREIGN), "nobody outside is the operator's work");
    let mut early = claims.clone();
    early["nbf"] = (claims["nbf"].as_i64().unwrap() + 6).into();
    let refused = node.show(&sign(&early)).await.unwrap_err().to_string();
    assert!(refused.starts_with("token is not good yet"), "{refused}");
}

#[tokio::test]
async fn no_bit_of_a_token_can_be_changed() {
    let node = Node::new(Anonymous::None).await;
    let (token, header, claims) = right(&node).await;
    let mut more = claims.clone();
    more["access"][0]["name"] = "a/c".into();
    let mut other = claims.clone();
    other["sub"] = "ann".into();
    let signature = token.rsplit_once('.').unwrap().1;
    for claims in [more, other] {
        let forged = format!("{}.{}.{signature}", encoded(&header), encoded(&claims));
        assert_eq!(node.show(&forged).await, Err(FOREIGN));
    }
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(node.show(&String::from_utf8(changed).unwrap()).await.is_err(), "byte {at}");
    }
    for rubbish in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b",
        &token[..token.len() / 2],
        &format!("{token}.x"),
        &"a".repeat(40_000),
    ] {
        assert!(node.show(rubbish).await.is_err(), "{rubbish:.20}");
    }
}

#[tokio::test]
async fn another_registrys_tokens_are_none_of_ours() {
    let (node, other) = (Node::new(Anonymous::None).await, Node::new(Anonymous::None).await);
    let token = other.issue("ann", "repository:a/b:pull,push").await.token;
    assert!(other.show(&token).await.is_ok());
    assert_eq!(node.show(&token).await, Err(FOREIGN));
    node.issue("ann", "").await;
    assert_eq!(node.show(&token).await, Err(FOREIGN));
    assert_eq!(token.split('.').count(), 3);
}
