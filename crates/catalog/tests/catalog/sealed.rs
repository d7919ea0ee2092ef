//! Secrets: kept as they were sealed, listed and replaced one by one.

use std::time::Duration;

use berth_catalog::sealed::{self, Column, Sealed};
use berth_catalog::{Hidden, secret, signing_key, vault_key};

use crate::{Fixture, On, on_both};

async fn secrets_are_set_found_and_removed(on: On) {
    let fixture = Fixture::new(on).await;
    let (catalog, now) = (&fixture.catalog, fixture.now());
    let find =
        async |name: &'static str| catalog.read(async move |r| secret::find(r, name).await).await.unwrap();
    let set = async |name: &'static str, sealed: &'static [u8]| {
        catalog.write(async move |tx| secret::set(tx, name, sealed, now).await).await.unwrap();
    };
    assert_eq!(find("ldap").await, None);
    set("ldap", b"one").await;
    set("ldap", b"two").await;
    set("mirror", b"three").await;
    assert_eq!(find("ldap").await.as_deref(), Some(&b"two"[..]));
    let names = catalog.read(async |r| secret::list(r, "", 10).await).await.unwrap();
    assert_eq!(names, [("ldap".to_owned(), now), ("mirror".to_owned(), now)]);
    assert_eq!(catalog.read(async |r| secret::list(r, "ldap", 10).await).await.unwrap().len(), 1);
    assert!(catalog.write(async |tx| secret::delete(tx, "ldap").await).await.unwrap());
    assert!(!catalog.write(async |tx| secret::delete(tx, "ldap").await).await.unwrap());
    assert_eq!(find("ldap").await, None);
}

async fn keys_that_seal_are_listed_the_latest_first(on: On) {
    let fixture = Fixture::new(on).await;
    let (catalog, now) = (&fixture.catalog, fixture.now());
    let insert = async |kid: &'static str, material: Option<&'static [u8]>| {
        catalog.write(async move |tx| vault_key::insert(tx, kid, material, now).await).await.unwrap()
    };
    assert!(insert("a", Some(b"hunter2")).await);
    assert!(insert("b", None).await);
    assert!(!insert("a", None).await, "a known key stays as it is");
    let keys = catalog.read(async |r| vault_key::list(r).await).await.unwrap();
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (key.kid.as_str(), key.material.as_ref().map(|material| material.as_slice())))
        .collect();
    assert_eq!(seen, [("b", None), ("a", Some(&b"hunter2"[..]))]);
    assert!(!format!("{keys:?}").contains("104, 117"), "{keys:?}");
    catalog.write(async |tx| vault_key::delete(tx, "a").await).await.unwrap();
    assert_eq!(catalog.read(async |r| vault_key::list(r).await).await.unwrap().len(), 1);
}

async fn keys_that_sign_come_and_go(on: On) {
    let fixture = Fixture::new(on).await;
    let (catalog, now) = (&fixture.catalog, fixture.now());
    for kid in ["a", "b"] {
        catalog
            .write(async move |tx| signing_key::insert(tx, kid, b"sealed", "{}", now).await)
            .await
            .unwrap();
    }
    let list = async || catalog.read(async |r| signing_key::list(r).await).await.unwrap();
    let keys = list().await;
    assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(
        (keys[0].sealed.as_slice(), keys[0].public.as_str(), keys[0].gone_at),
        (&b"sealed"[..], "{}", None)
    );
    assert!(format!("{keys:?}").contains("sealed: (hidden)"));
    let (old, gone_at) = (keys[1].clone(), now + Duration::from_mins(5));
    catalog.write(async move |tx| signing_key::retire(tx, &old, gone_at).await).await.unwrap();
    assert_eq!(list().await[1].gone_at, Some(gone_at));
    let old = list().await.remove(1);
    catalog.write(async move |tx| signing_key::delete(tx, &old).await).await.unwrap();
    assert_eq!(list().await.len(), 1);
}

/// Rows of every table that has such a column, as nobody else here makes them.
const ROWS: [&str; 4] = [
    "INSERT INTO signing_key (id, kid, sealed, public, created_at) VALUES (7, 'kid', 'old', '{}', 1)",
    "INSERT INTO secret (id, name, sealed, changed_at) VALUES (7, 'ldap', 'old', 1)",
    "INSERT INTO account (id, name, source, must_change, failures, member_of, valid_after, created_at, totp)
     VALUES (7, 'ann', 'local', 0, 0, '[]', 0, 1, 'old'), (8, 'bob', 'local', 0, 0, '[]', 0, 1, NULL)",
    "INSERT INTO subject (id, pseudonym, name, sealed, created_at)
     VALUES (7, 'p1', 'ann', 'old', 1), (8, 'p2', NULL, NULL, 1)",
];

async fn every_sealed_value_is_found_and_replaced_once(on: On) {
    let fixture = Fixture::new(on).await;
    let catalog = &fixture.catalog;
    for sql in ROWS {
        let sql = match on {
            // A text is no bytes there.
            On::Sqlite => sql.replace("'old'", "X'6f6c64'"),
            On::Postgres => sql.replace("VALUES (7", "OVERRIDING SYSTEM VALUE VALUES (7"),
        };
        fixture.alter(&sql);
    }
    for (column, name) in Column::ALL.into_iter().zip(["kid", "ldap", "ann", "p1/ann"]) {
        let list = async |after| {
            catalog.read(async move |r| sealed::list(r, column, after, 10).await).await.unwrap()
        };
        let found = list(0).await;
        let old = Sealed { id: 7, name: name.to_owned(), value: Hidden::new(b"old".to_vec()) };
        assert_eq!(found, std::slice::from_ref(&old), "{column:?}");
        assert_eq!(list(7).await, []);
        for expected in [true, false] {
            let old = old.clone();
            let replaced =
                catalog.write(async move |tx| sealed::replace(tx, column, &old, b"new").await).await;
            assert_eq!(replaced.unwrap(), expected, "{column:?}: what has changed meanwhile stays");
        }
        assert_eq!(list(0).await[0].value.as_slice(), b"new");
        assert!(format!("{old:?}").contains("(hidden)"), "{}", column.as_str());
    }
}

on_both!(
    secrets_are_set_found_and_removed,
    keys_that_seal_are_listed_the_latest_first,
    keys_that_sign_come_and_go,
    every_sealed_value_is_found_and_replaced_once,
);
