//! Nodes of a cluster agree on keys.

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, Clock, PostgresConfig, signing_key};
use berth_engines::Postgres;
use berth_vault::{Key, Vault};

use super::keys::rotate;
use crate::token::{Successor, Tokens, TokensConfig};
use crate::{Caller, Scope};

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
    let sign = async |tokens: &Tokens| {
        tokens.issue(&Caller::user("ann"), &Scope::default(), None).await.unwrap().token
    };
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
