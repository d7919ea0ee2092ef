//! What was taken in from another registry's store.

use berth_catalog::imported::{self, Imported, Source, Totals};
use berth_catalog::{Error, blob, repository, upload};

use crate::{Fixture, On, digest, name, on_both};

async fn totals_add_up_and_bytes_elsewhere_are_counted(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    // More than 32 bits hold.
    let size = 3 << 30;
    let write = async move |tx: &mut berth_catalog::Tx| {
        for (repository, tags) in [("a", 2), ("b", 3)] {
            let problems = vec!["b:x: refused".to_owned()];
            let taken = Imported { repository: repository.to_owned(), manifests: 1, tags, problems };
            imported::insert(tx, &taken, now).await?;
        }
        let repository = repository::ensure(tx, &name("a"), now).await?;
        for (content, location) in [("x", "foreign/one"), ("y", "foreign/two"), ("z", "sha256/ab/z")] {
            let placement = blob::Placement::Stored(location.to_owned());
            blob::insert(tx, &repository, &digest(content), size, Some(&placement), now).await?;
        }
        Ok::<_, Error>(())
    };
    fixture.catalog.write(write).await.unwrap();
    let totals = async || fixture.catalog.read(async |r| imported::totals(r).await).await.unwrap();
    assert_eq!(totals().await, Totals { repositories: 2, manifests: 2, tags: 5, complete: false });
    fixture.catalog.write(async move |tx| imported::complete(tx, now).await).await.unwrap();
    assert!(totals().await.complete);
    let foreign = fixture.catalog.read(async |r| imported::count_foreign(r).await).await.unwrap();
    assert_eq!(foreign, (2, 2 * size));
    let listed =
        fixture.catalog.read(async |r| imported::list_foreign(r, "foreign/one", 9).await).await.unwrap();
    assert_eq!(listed.len(), 1);
}

async fn damaged_bytes_elsewhere_do_not_heal_by_being_offered_again(on: On) {
    let fixture = Fixture::new(on).await;
    let (app, blob, now) = (name("a"), digest("x"), fixture.now());
    let insert = async |location: &str, size| {
        let placement = blob::Placement::Stored(location.to_owned());
        let unit = async move |tx: &mut berth_catalog::Tx| {
            let repository = repository::ensure(tx, &name("a"), now).await?;
            blob::insert(tx, &repository, &blob, size, Some(&placement), now).await
        };
        fixture.catalog.write(unit).await.unwrap()
    };
    let find = async || fixture.catalog.read(async |r| blob::find(r, &app, &blob).await).await.unwrap();
    assert_eq!(insert("foreign/one", 9).await, blob::Inserted::Used);
    let found = find().await.unwrap();
    let marked = fixture
        .catalog
        .write(async move |tx| blob::mark_damaged(tx, found.id, &blob, &found.placement, now).await);
    assert!(marked.await.unwrap());
    assert_eq!(insert("foreign/one", 5).await, blob::Inserted::Missing);
    assert!(find().await.is_none(), "it is served again");
    assert_eq!(insert("sha256/ab/x", 9).await, blob::Inserted::Used);
    assert_eq!(find().await.unwrap().size, 9);
}

async fn one_bucket_is_imported_at_a_time(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let source = |name: &str, address: &str| Source { name: name.to_owned(), address: address.to_owned() };
    let begin = async |new: Source| {
        fixture.catalog.write(async move |tx| imported::begin(tx, &new).await).await.unwrap()
    };
    let is_open = async |repository: &str, source: Option<&str>| {
        fixture.catalog.read(async |r| imported::is_open(r, repository, source).await).await.unwrap()
    };
    assert!(is_open("a", None).await && !is_open("a", Some("one")).await);
    assert_eq!(begin(source("one", "there")).await, None);
    assert_eq!(begin(source("one", "moved")).await, None);
    assert_eq!(begin(source("two", "elsewhere")).await.as_deref(), Some("one"));
    let found = fixture.catalog.read(async |r| imported::find_source(r).await).await.unwrap();
    assert_eq!(found, Some(source("one", "moved")));
    assert!(is_open("a", Some("one")).await && !is_open("a", Some("two")).await);
    let taken = Imported { repository: "a".to_owned(), manifests: 1, tags: 1, problems: Vec::new() };
    fixture.catalog.write(async move |tx| imported::insert(tx, &taken, now).await).await.unwrap();
    assert!(!is_open("a", Some("one")).await && is_open("b", Some("one")).await);
    // The end of an import, and what looked at its bucket before.
    fixture.catalog.write(async |tx| imported::clear(tx).await).await.unwrap();
    assert!(!is_open("a", Some("one")).await);
    assert_eq!(begin(source("two", "elsewhere")).await, None);
    assert!(is_open("a", Some("two")).await);
}

async fn a_blob_that_comes_anew_has_a_session(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let insert = async |id: &'static str, content: &'static str| {
        let write = async move |tx: &mut berth_catalog::Tx| {
            upload::insert_anew(tx, id, &digest(content), "import", b"state", now).await
        };
        fixture.catalog.write(write).await.unwrap()
    };
    assert!(!insert("none", "x").await, "there is no repository");
    let write = async move |tx: &mut berth_catalog::Tx| {
        repository::ensure(tx, &name("a"), now).await?;
        let repository = repository::ensure(tx, &name("b"), now).await?;
        let placement = blob::Placement::Stored("foreign/one".to_owned());
        blob::insert(tx, &repository, &digest("x"), 3, Some(&placement), now).await.map(drop)
    };
    fixture.catalog.write(write).await.unwrap();
    for (id, content, repository) in [("linked", "x", "b"), ("unlinked", "y", "a")] {
        assert!(insert(id, content).await);
        let found = fixture.catalog.read(async |r| upload::find(r, id).await).await.unwrap().unwrap();
        assert_eq!((found.repository.as_str(), found.size, found.content), (repository, 0, None));
    }
}

async fn the_place_where_a_blob_is_damaged_does_not_heal_it(on: On) {
    let fixture = Fixture::new(on).await;
    let (blob, now) = (digest("layer"), fixture.now());
    let offer = async |repository: &'static str, location: &'static str, size: u64| {
        let write = async move |tx: &mut berth_catalog::Tx| {
            let repository = repository::ensure(tx, &name(repository), now).await?;
            let placement = blob::Placement::Stored(location.to_owned());
            blob::insert(tx, &repository, &blob, size, Some(&placement), now).await
        };
        fixture.catalog.write(write).await.unwrap()
    };
    let find = async |repository: &str| {
        let repository = name(repository);
        fixture.catalog.read(async |r| blob::find(r, &repository, &blob).await).await.unwrap()
    };
    assert_eq!(offer("a", "foreign/one", 5).await, blob::Inserted::Used);
    let found = find("a").await.unwrap();
    let (id, placement) = (found.id, found.placement);
    let marked = {
        let placement = placement.clone();
        fixture
            .catalog
            .write(async move |tx| blob::mark_damaged(tx, id, &blob, &placement, now).await)
            .await
            .unwrap()
    };
    assert!(marked);
    // The next pull, and another repository that holds it there; cut short meanwhile.
    for repository in ["a", "b"] {
        assert_eq!(offer(repository, "foreign/one", 3).await, blob::Inserted::Missing);
        assert!(find(repository).await.is_none(), "{repository} serves what is damaged");
    }
    let whole = fixture
        .catalog
        .write(async move |tx| blob::clear_damaged(tx, id, &blob, &placement).await)
        .await
        .unwrap();
    assert!(whole);
    for repository in ["a", "b"] {
        assert_eq!(find(repository).await.map(|found| found.size), Some(5), "{repository}");
    }
    let found = find("a").await.unwrap();
    let mark = async move |tx: &mut berth_catalog::Tx| {
        blob::mark_damaged(tx, found.id, &blob, &found.placement, now).await
    };
    assert!(fixture.catalog.write(mark).await.unwrap());
    assert_eq!(offer("b", "sha256/ab/other.1", 5).await, blob::Inserted::Used);
    assert!(find("a").await.is_some() && find("b").await.is_some());
}

on_both!(
    the_place_where_a_blob_is_damaged_does_not_heal_it,
    totals_add_up_and_bytes_elsewhere_are_counted,
    damaged_bytes_elsewhere_do_not_heal_by_being_offered_again,
    one_bucket_is_imported_at_a_time,
    a_blob_that_comes_anew_has_a_session
);
