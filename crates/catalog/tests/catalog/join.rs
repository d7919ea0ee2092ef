//! The catalog of another process: read and written, its schema and its write-ahead log left alone.

use std::path::Path;

use berth_catalog::{Catalog, Error, repository};

use crate::{Fixture, On, Place, name};

fn directory(fixture: &Fixture) -> &Path {
    match &fixture.place {
        Place::Directory(directory) => directory.path(),
        Place::Database(_) => panic!("these tests are about SQLite"),
    }
}

fn join(fixture: &Fixture) -> Result<Catalog, Error> {
    Catalog::join(&directory(fixture).join("catalog.db"), fixture.clock.clone())
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
    let fixture = Fixture::new(On::Sqlite).await;
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
    assert!(log_bytes(directory(&fixture)) > 0, "the owner's log was truncated");
    let Fixture { catalog, place: Place::Directory(directory), .. } = fixture else { panic!() };
    drop(catalog);
    assert_eq!(log_bytes(directory.path()), 0, "the owner leaves none");
}

#[tokio::test]
async fn another_schema_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new(On::Sqlite).await;
    for (change, newer) in [
        ("INSERT INTO migration VALUES (99, 0)", true),
        ("DELETE FROM migration", false),
        ("DROP TABLE migration", false),
    ] {
        fixture.alter(change);
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
    let raw = rusqlite::Connection::open(directory(&fixture).join("catalog.db")).unwrap();
    assert!(!raw.table_exists(None, "migration").unwrap());
}

#[tokio::test]
async fn no_catalog_is_made() {
    let fixture = Fixture::new(On::Sqlite).await;
    let file = directory(&fixture).join("other.db");
    assert!(Catalog::join(&file, fixture.clock.clone()).is_err());
    assert!(!file.exists());
}
