//! The catalog of another process: read and written, its schema and its write-ahead log left alone.

use std::path::Path;

use berth_catalog::{Catalog, Error, identity, repository};

use crate::{Fixture, name};

fn join(fixture: &Fixture) -> Result<Catalog, Error> {
    Catalog::join(&fixture.dir.path().join("catalog.db"), fixture.clock.clone())
}

fn log_bytes(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("catalog.db-wal")).map_or(0, |log| log.len())
}

async fn ensure(catalog: &Catalog, text: &str) {
    let (name, now) = (name(text), catalog.clock().now());
    catalog.write(async move |tx| repository::ensure(tx, &name, now).await).await.unwrap();
}

#[tokio::test]
async fn who_joins_works_beside_the_owner_and_leaves_the_log() {
    let fixture = Fixture::new();
    ensure(&fixture.catalog, "a").await;
    let joined = join(&fixture).unwrap();
    ensure(&joined, "b").await;
    ensure(&fixture.catalog, "c").await;
    for (reader, written) in [(&joined, "a"), (&joined, "c"), (&fixture.catalog, "b")] {
        let name = name(written);
        let found = reader.read(async |r| repository::find(r, &name).await).await.unwrap();
        assert!(found.is_some(), "{written}");
    }
    drop(joined);
    assert!(log_bytes(fixture.dir.path()) > 0, "the owner's log was truncated");
    let Fixture { catalog, dir, .. } = fixture;
    drop(catalog);
    assert_eq!(log_bytes(dir.path()), 0, "the owner leaves none");
}

#[test]
fn another_schema_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new();
    for (change, newer) in [
        ("INSERT INTO migration VALUES (99, 0)", true),
        ("DELETE FROM migration", false),
        ("DROP TABLE migration", false),
    ] {
        let raw = fixture.raw();
        raw.execute_batch(change).unwrap();
        let error = join(&fixture).unwrap_err();
        assert!(
            if newer {
                matches!(error, Error::Newer { found: 99, .. })
            } else {
                matches!(error, Error::Older { found: 0, .. })
            },
            "{error}"
        );
    }
    assert!(!fixture.raw().table_exists(None, "migration").unwrap());
}

#[test]
fn no_catalog_is_made() {
    let fixture = Fixture::new();
    let file = fixture.dir.path().join("other.db");
    assert!(Catalog::join(&file, fixture.clock.clone()).is_err());
    assert!(!file.exists());
}

#[tokio::test]
async fn a_catalog_has_one_store() {
    let fixture = Fixture::new();
    let find = async |r: &berth_catalog::Reader| identity::find(r).await;
    assert_eq!(fixture.catalog.read(find).await.unwrap(), None);
    fixture.catalog.write(async |tx| identity::insert(tx, "one").await).await.unwrap();
    assert!(fixture.catalog.write(async |tx| identity::insert(tx, "two").await).await.is_err());
    assert_eq!(fixture.catalog.read(find).await.unwrap().as_deref(), Some("one"));
}
