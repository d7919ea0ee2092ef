//! What the vault seals: anew under another key, and under keys that nodes learn of.

use berth_catalog::vault_key;
use berth_vault::{Key, Vault};

use super::Node;
use super::keys::rotate;
use crate::token::{Successor, Tokens, TokensConfig};
use crate::{Anonymous, Secrets, reseal};

#[tokio::test]
async fn everything_is_sealed_anew_and_the_old_key_can_go() {
    let node = Node::new(Anonymous::None).await;
    let token = node.issue("ann", "").await.token;
    let secrets = Secrets::new(node.catalog.clone(), node.vault.clone());
    secrets.set("ldap", b"hunter2", &"order:test".into()).await.unwrap();
    for (name, value) in [("no/name", &b"x"[..]), ("audit-signing-keys", b"x"), ("empty", b"")] {
        assert!(secrets.set(name, value, &"order:test".into()).await.is_err(), "{name}");
    }
    let kept = secrets.remove("audit-signing-keys", &"order:test".into()).await.unwrap_err();
    assert!(kept.to_string().contains("Berth's own"), "{kept}");
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
