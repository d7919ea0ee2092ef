//! Two nodes on one database.

use std::time::{Duration, Instant};

use berth_catalog::binding::NewBinding;
use berth_catalog::event::Author;
use berth_catalog::{Catalog, Clock, PostgresConfig, binding};
use berth_engines::Postgres;
use tokio::sync::watch;

use super::named;
use crate::{Access, Config, Pull, ReadOnly, admin};

async fn node(url: &str) -> (Catalog, Access) {
    let settings = PostgresConfig { patience: Duration::from_mins(1), ..PostgresConfig::new(url) };
    let catalog = Catalog::connect(&settings, Clock::system()).await.unwrap();
    let access = Access::open(&Config::default(), &ReadOnly::default(), &catalog).await.unwrap();
    (catalog, access)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_heeds_a_change_within_a_second() {
    let url = Postgres::shared().database();
    let ((catalog, here), (_other, there)) = (node(&url).await, node(&url).await);
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn({
        let there = there.clone();
        async move { there.follow(stopped).await }
    });
    let what = NewBinding {
        kind: binding::Kind::User,
        subject: "ann".into(),
        role: "guest".into(),
        project: String::new(),
    };
    let (ann, name) = (named("ann"), "library/a".parse().unwrap());
    let pulls = |access: &Access| access.permit::<Pull>(&ann, &name).is_ok();
    let mut waits = Vec::new();
    for round in 0..6 {
        let (rules, what, now) = (here.rules(), what.clone(), catalog.clock().now());
        let gives = round % 2 == 0;
        let change = catalog.write(async move |tx| {
            let author = Author::from("test:me");
            if gives {
                admin::bind(tx, &rules, &what, &author, now).await
            } else {
                admin::unbind(tx, &what, &author, now).await
            }
        });
        assert!(change.await.unwrap());
        let since = Instant::now();
        here.refresh().await.unwrap();
        assert_eq!(pulls(&here), gives, "the node that changed it heeds it at once");
        while pulls(&there) != gives {
            assert!(since.elapsed() < Duration::from_secs(30), "the other node never heard");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waits.push(since.elapsed());
    }
    waits.sort_unstable();
    // A busy machine may hold up one look.
    assert!(waits[3] < Duration::from_secs(1), "{waits:?}");
    stop.send_replace(true);
    following.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_word_stands_while_the_database_is_away() {
    let url = Postgres::shared().database();
    let (catalog, access) = node(&url).await;
    let (rules, now) = (access.rules(), catalog.clock().now());
    let what = NewBinding {
        kind: binding::Kind::User,
        subject: "ann".into(),
        role: "guest".into(),
        project: String::new(),
    };
    let bound =
        catalog.write(async move |tx| admin::bind(tx, &rules, &what, &Author::from("test:me"), now).await);
    assert!(bound.await.unwrap());
    access.refresh().await.unwrap();
    Postgres::query(&url, "ALTER TABLE access_generation RENAME TO away");
    assert!(access.refresh().await.is_err());
    assert!(access.permit::<Pull>(&named("ann"), &"library/a".parse().unwrap()).is_ok());
}
