//! A key for secrets that is made beside a node that runs.

use std::time::Duration;

use berth_catalog::{Catalog, Clock, Error, access_generation, vault_key};
use berth_vault::{Key, Vault};
use tokio::sync::watch;

use crate::{Access, Config, ReadOnly};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_signs_no_tokens_learns_of_new_keys() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("catalog.db"), Clock::system()).unwrap();
    let mut config = Config::default();
    config.tokens.enabled = false;
    let access = Access::open(&config, &ReadOnly::default(), &catalog).await.unwrap();
    let first = Key::generate().unwrap();
    let vault = Vault::new(&[], std::slice::from_ref(&first)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn({
        let (access, catalog, vault) = (access.clone(), catalog.clone(), vault.clone());
        async move { tokio::join!(access.follow(stopped.clone()), access.keep_vault(&catalog, &vault, stopped)) }
    });
    let key = Key::generate().unwrap();
    let rows = [(&first, Clock::system().now()), (&key, Clock::system().now())];
    for (key, now) in rows {
        let (kid, material) = (key.id().to_string(), key.material().to_vec());
        let kept = catalog.write(async move |tx| {
            vault_key::insert(tx, &kid, Some(&material), now).await?;
            access_generation::bump(tx).await?;
            Ok::<_, Error>(())
        });
        kept.await.unwrap();
    }
    let learnt = async {
        while vault.key_ids().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), learnt).await.unwrap();
    assert_eq!(vault.current().unwrap(), key.id(), "the newest seals");
    stop.send_replace(true);
    following.await.unwrap();
}
