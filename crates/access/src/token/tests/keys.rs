//! Keys come and go, and all nodes agree on them.

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, Clock, PostgresConfig, signing_key, vault_key};
use berth_engines::Postgres;
use berth_vault::{Key, Vault};

use super::Node;
use crate::token::{Successor, TokenError, Tokens, TokensConfig};
use crate::{Anonymous, Caller, Scope, Secrets, reseal};

async fn rotate(catalog: &Catalog, vault: &Vault, when: Successor) -> Result<Option<String>, TokenError> {
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

#[tokio::test]
async fn everything_is_sealed_anew_and_the_old_key_can_go() {
    let node = Node::new(Anonymous::None).await;
    let token = node.issue("ann", "").await.token;
    let secrets = Secrets::new(node.catalog.clone(), node.vault.clone());
    secrets.set("ldap", b"hunter2", &"order:test".into()).await.unwrap();
    assert!(secrets.set("no/name", b"x", &"order:test".into()).await.is_err());
    let noted = async |kid: String| {
        let now = node.clock.now();
        node.catalog.write(async move |tx| vault_key::insert(tx, &kid, None, now).await).await.unwrap();
    };
    noted(node.key.id().to_string()).await;

    // A key that opens nothing loses nothing.
    let new = Key::generate().unwrap();
    let alone = Vault::new(std::slice::from_ref(&new), &[]).unwrap();
    let done = reseal(&node.catalog, &alone, &"order:test".into()).await.unwrap();
    assert_eq!((done.renewed, done.lost.len()), (0, 2), "{:?}", done.lost);
    assert_eq!(secrets.reveal("ldap").await.unwrap().unwrap().as_slice(), b"hunter2");

    let both = Vault::new(&[new.clone(), node.key.clone()], &[]).unwrap();
    noted(new.id().to_string()).await;
    for (renewed, current) in [(2, 0), (0, 2)] {
        let done = reseal(&node.catalog, &both, &"order:test".into()).await.unwrap();
        assert_eq!((done.renewed, done.current, done.lost.len()), (renewed, current, 0));
    }
    assert!(secrets.reveal("ldap").await.is_err(), "the old key opens nothing any more");
    let secrets = Secrets::new(node.catalog.clone(), alone.clone());
    assert_eq!(secrets.reveal("ldap").await.unwrap().unwrap().as_slice(), b"hunter2");
    let tokens = Tokens::new(&TokensConfig::default(), node.catalog.clone(), alone);
    assert!(tokens.verify(&token, |_, _| Ok(())).await.is_ok(), "what was signed before stays good");
    let known = node.catalog.read(async |r| vault_key::list(r).await).await.unwrap();
    assert_eq!(known.iter().map(|key| key.kid.clone()).collect::<Vec<_>>(), [new.id().to_string()]);
    for expected in [true, false] {
        assert_eq!(secrets.remove("ldap", &"order:test".into()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_key_that_the_catalog_keeps_is_learnt_by_running_nodes() {
    let node = Node::new(Anonymous::None).await;
    let key = Key::generate().unwrap();
    let (kid, material, now) = (key.id().to_string(), key.material().to_vec(), node.clock.now());
    let kept = node.catalog.write(async move |tx| vault_key::insert(tx, &kid, Some(&material), now).await);
    kept.await.unwrap();
    let other = Vault::new(&[], std::slice::from_ref(&key)).unwrap();
    rotate(&node.catalog, &other, Successor::Now).await.unwrap();
    node.tokens.load().await.unwrap();
    assert!(node.vault.key_ids().contains(&key.id()));
    assert!(node.show(&node.issue("ann", "").await.token).await.is_ok());
}

/// Opens a node of a cluster.
async fn node_on(url: &str, key: &Key) -> (Catalog, Tokens) {
    let settings = PostgresConfig::new(url);
    let catalog = Catalog::connect(&settings, Clock::system()).await.unwrap();
    let vault = Vault::new(std::slice::from_ref(key), &[]).unwrap();
    let tokens = Tokens::new(&TokensConfig::default(), catalog.clone(), vault);
    tokens.load().await.unwrap();
    (catalog, tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_accept_each_others_tokens_from_the_first_moment() {
    let url = Postgres::shared().database();
    let key = Key::generate().unwrap();
    let (one, two) = tokio::join!(node_on(&url, &key), node_on(&url, &key));
    let sign =
        async |tokens: &Tokens| tokens.issue(&Caller::user("ann"), &Scope::default()).await.unwrap().token;
    // Both find no key at the same moment, and one of them makes it.
    let (of_one, of_two) = tokio::join!(sign(&one.1), sign(&two.1));
    let believe = async |tokens: &Tokens, token: &str| tokens.verify(token, |_, _| Ok(())).await;
    for (tokens, token) in [(&one.1, &of_two), (&two.1, &of_one), (&one.1, &of_one)] {
        assert!(believe(tokens, token).await.is_ok());
    }
    assert_eq!(one.0.read(async |r| signing_key::list(r).await).await.unwrap().len(), 1);
    // One node hears of another key first and signs with it at once.
    let vault = Vault::new(std::slice::from_ref(&key), &[]).unwrap();
    rotate(&one.0, &vault, Successor::Now).await.unwrap();
    one.1.load().await.unwrap();
    let fresh = sign(&one.1).await;
    let began = Instant::now();
    assert!(believe(&two.1, &fresh).await.is_ok(), "an unknown key is asked for once");
    assert!(began.elapsed() < Duration::from_secs(2));
    // Made-up names don't turn into a query each.
    let before = Instant::now();
    let forged: Vec<_> = (0..50)
        .map(|n| {
            format!(
                "{}.e30.AAAA",
                super::encoded(&serde_json::json!({"alg": "ES256", "kid": format!("x{n}")}))
            )
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for token in forged {
        let tokens = two.1.clone();
        tasks.spawn(async move { tokens.verify(&token, |_, _| Ok(())).await.is_err() });
    }
    assert!(tasks.join_all().await.into_iter().all(|refused| refused));
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}
