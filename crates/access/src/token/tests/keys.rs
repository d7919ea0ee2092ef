//! Keys come and go.

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, signing_key};
use berth_vault::{Key, Vault};

use super::Node;
use crate::Anonymous;
use crate::token::{Successor, TokenError, Tokens, TokensConfig};

pub(super) async fn rotate(
    catalog: &Catalog,
    vault: &Vault,
    when: Successor,
) -> Result<Option<String>, TokenError> {
    crate::token::rotate(catalog, vault, when, &"order:test".into()).await
}

async fn kids(node: &Node) -> Vec<String> {
    let rows = node.catalog.read(async |r| signing_key::list(r).await).await.unwrap();
    rows.into_iter().map(|row| row.kid).collect()
}

#[tokio::test]
async fn the_first_token_makes_a_key_and_the_next_uses_it() {
    let node = Node::new(Anonymous::None).await;
    assert!(kids(&node).await.is_empty());
    let one = node.issue("ann", "").await;
    node.issue("ann", "").await;
    let kids = kids(&node).await;
    assert_eq!(kids.len(), 1);
    assert_eq!(super::decoded(&one.token, 0)["kid"], kids[0].as_str());
    let public = node.tokens.public_keys();
    let key = &public["keys"][0];
    assert_eq!(
        (&key["kid"], &key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&kids[0].as_str().into(), &"EC".into(), &"P-256".into(), &"ES256".into(), &"sig".into())
    );
    assert!(key.get("d").is_none(), "{public}");
    assert_eq!(rotate(&node.catalog, &node.vault, Successor::IfNone).await.unwrap(), None);
}

#[tokio::test]
async fn old_keys_verify_until_what_they_signed_has_ended() {
    let node = Node::new(Anonymous::None).await;
    let old = node.issue("ann", "").await.token;
    let kid = rotate(&node.catalog, &node.vault, Successor::Now).await.unwrap().unwrap();
    node.tokens.load().await.unwrap();
    let new = node.issue("ann", "").await.token;
    assert_eq!(super::decoded(&new, 0)["kid"], kid.as_str());
    assert!(node.show(&old).await.is_ok() && node.show(&new).await.is_ok());
    assert_eq!(node.tokens.public_keys()["keys"].as_array().unwrap().len(), 2);
    node.pass(3600 + 120 + 1);
    node.tokens.load().await.unwrap();
    assert_eq!(node.tokens.public_keys()["keys"].as_array().unwrap().len(), 1);
    rotate(&node.catalog, &node.vault, Successor::Now).await.unwrap();
    assert_eq!(kids(&node).await.len(), 2, "keys that have ended are removed");
}

#[tokio::test]
async fn a_key_that_others_may_have_ends_at_once() {
    let node = Node::new(Anonymous::None).await;
    let old = node.issue("ann", "").await.token;
    assert!(node.show(&old).await.is_ok());
    rotate(&node.catalog, &node.vault, Successor::AtOnce).await.unwrap();
    node.tokens.load().await.unwrap();
    let refused = node.show(&old).await.unwrap_err();
    assert!(refused.is_token(), "what was verified before is verified again: {refused}");
    assert!(node.show(&node.issue("ann", "").await.token).await.is_ok());
}

#[tokio::test]
async fn a_key_is_replaced_when_it_is_old() {
    let node = Node::new(Anonymous::None).await;
    node.issue("ann", "").await;
    let first = kids(&node).await;
    let limit = node.clock.now();
    assert_eq!(rotate(&node.catalog, &node.vault, Successor::IfOlder(limit)).await.unwrap(), None);
    node.pass(91 * 24 * 3600);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let keeper = tokio::spawn({
        let tokens = node.tokens.clone();
        async move { tokens.keep(stopped, || None, || true).await }
    });
    let began = Instant::now();
    while kids(&node).await == first {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody replaced the key");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send_replace(true);
    keeper.await.unwrap();
    assert_eq!(kids(&node).await.len(), 2);
}

#[tokio::test]
async fn a_key_that_somebody_wrote_into_the_catalog_is_not_used() {
    let node = Node::new(Anonymous::None).await;
    node.issue("ann", "").await;
    let stranger = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
    rotate(&node.catalog, &stranger, Successor::Now).await.unwrap();
    let known = kids(&node).await;
    node.tokens.load().await.unwrap();
    let public = node.tokens.public_keys();
    assert_eq!(public["keys"].as_array().unwrap().len(), 1);
    assert_eq!(public["keys"][0]["kid"], known[1].as_str());
    // Nor does a row's own word on its public half count.
    let rows = node.catalog.read(async |r| signing_key::list(r).await).await.unwrap();
    let (public, sealed, now) = (rows[0].public.clone(), rows[1].sealed.clone(), node.clock.now());
    let moved =
        node.catalog.write(async move |tx| signing_key::insert(tx, "evil", &sealed, &public, now).await);
    moved.await.unwrap();
    node.tokens.load().await.unwrap();
    assert_eq!(node.tokens.public_keys()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_start_under_another_vault_says_so() {
    let node = Node::new(Anonymous::None).await;
    node.issue("ann", "").await;
    let other = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
    let tokens = Tokens::new(&TokensConfig::default(), node.catalog.clone(), other);
    let error = tokens.load().await.unwrap_err().to_string();
    assert!(
        error.starts_with("signing key: sealed under key ") && error.contains("secrets.key_file"),
        "{error}"
    );
}
