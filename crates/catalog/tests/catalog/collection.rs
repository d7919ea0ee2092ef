//! What the collector asks: a thing is dropped only if the same unit of work still finds it unneeded.

use berth_catalog::{Error, blob, ledger, link, manifest, repository, review, tag, trash};
use berth_oci::Digest;
use jiff::SignedDuration;

use crate::{Fixture, On, digest, name, on_both};

async fn sweep(fixture: &Fixture) -> (u64, u64) {
    let cutoff = fixture.now();
    let links = fixture.catalog.read(async |r| review::list_links(r, cutoff, None, 100).await).await.unwrap();
    let dropped = fixture
        .catalog
        .write(async move |tx| {
            let mut dropped = 0;
            for item in &links {
                dropped += u64::from(review::decide_link(tx, item, cutoff).await?);
            }
            Ok::<_, Error>(dropped)
        })
        .await
        .unwrap();
    let condemned =
        fixture.catalog.read(async |r| review::list_condemned(r, cutoff, 100).await).await.unwrap();
    let gone = fixture
        .catalog
        .write(async move |tx| {
            let mut gone = 0;
            for item in &condemned {
                gone += u64::from(review::decide_blob(tx, item, cutoff, cutoff).await?);
            }
            Ok::<_, Error>(gone)
        })
        .await
        .unwrap();
    (dropped, gone)
}

fn later(fixture: &Fixture) {
    fixture.clock.advance(std::time::Duration::from_secs(1));
}

async fn is_readable(fixture: &Fixture, repository: &str, blob: &Digest) -> bool {
    let name = name(repository);
    fixture.catalog.read(async |r| blob::find(r, &name, blob).await).await.unwrap().is_some()
}

async fn a_blob_that_no_manifest_names_goes_and_a_named_one_stays(on: On) {
    let fixture = Fixture::new(on).await;
    let app = name("app");
    let kept = fixture.push_blob(&app, "kept").await;
    let orphan = fixture.push_blob(&app, "orphan").await;
    fixture.push_manifest(&app, "m", &[kept], &["1"]).await;
    later(&fixture);
    assert_eq!(sweep(&fixture).await, (1, 1));
    assert!(is_readable(&fixture, "app", &kept).await);
    assert!(!is_readable(&fixture, "app", &orphan).await);
}

async fn the_last_manifest_to_go_takes_its_blobs_and_another_repository_keeps_them(on: On) {
    let fixture = Fixture::new(on).await;
    let (app, other) = (name("app"), name("other"));
    let shared = fixture.push_blob(&app, "base").await;
    fixture.push_blob(&other, "base").await;
    let gone = fixture.push_manifest(&app, "m", &[shared], &[]).await;
    fixture.push_manifest(&other, "n", &[shared], &["1"]).await;
    let now = fixture.now();
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::find(tx, &name("app")).await?.unwrap();
            let id = manifest::find_id(tx, &repository, &gone).await?.unwrap();
            manifest::delete(tx, &repository, id, now).await
        })
        .await
        .unwrap();
    later(&fixture);
    assert_eq!(sweep(&fixture).await, (1, 0));
    assert!(!is_readable(&fixture, "app", &shared).await, "deleted in app means unreadable in app");
    assert!(is_readable(&fixture, "other", &shared).await);
}

async fn a_push_between_the_look_and_the_decision_saves_the_blob(on: On) {
    let fixture = Fixture::new(on).await;
    let app = name("app");
    let blob = fixture.push_blob(&app, "layer").await;
    later(&fixture);
    let cutoff = fixture.now();
    let links = fixture.catalog.read(async |r| review::list_links(r, cutoff, None, 10).await).await.unwrap();
    assert_eq!(links.len(), 1);
    fixture.push_manifest(&app, "m", &[blob], &["1"]).await;
    let dropped = fixture
        .catalog
        .write(async move |tx| review::decide_link(tx, &links[0], cutoff).await)
        .await
        .unwrap();
    assert!(!dropped);
    assert!(is_readable(&fixture, "app", &blob).await);
}

async fn a_condemned_blob_is_revived_by_a_push_of_the_same_bytes(on: On) {
    let fixture = Fixture::new(on).await;
    let app = name("app");
    fixture.push_blob(&app, "layer").await;
    later(&fixture);
    let cutoff = fixture.now();
    let links = fixture.catalog.read(async |r| review::list_links(r, cutoff, None, 10).await).await.unwrap();
    fixture.catalog.write(async move |tx| review::decide_link(tx, &links[0], cutoff).await).await.unwrap();
    let condemned =
        fixture.catalog.read(async |r| review::list_condemned(r, cutoff, 10).await).await.unwrap();
    assert_eq!(condemned.len(), 1);

    let again = fixture.push_blob(&app, "layer").await;
    let gone = fixture
        .catalog
        .write(async move |tx| review::decide_blob(tx, &condemned[0], cutoff, cutoff).await)
        .await
        .unwrap();
    assert!(!gone, "it was pushed again after it was condemned");
    assert!(is_readable(&fixture, "app", &again).await);
}

async fn a_stored_blob_leaves_through_the_trash_and_the_ledger_adds_up(on: On) {
    let fixture = Fixture::new(on).await;
    let (stored, now) = (digest("big"), fixture.now());
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::ensure(tx, &name("app"), now).await?;
            let placement = blob::Placement::Stored("sha256/ab/x.1".into());
            blob::insert(tx, &repository, &stored, 1000, Some(&placement), now).await
        })
        .await
        .unwrap();
    later(&fixture);
    assert_eq!(sweep(&fixture).await, (1, 1));
    let waiting = fixture.catalog.read(async |r| trash::totals(r).await).await.unwrap();
    assert_eq!(waiting, (1, 1000));
    // Freed by one worker, found gone by another that came second: booked once.
    for freed in [Some(900), None] {
        fixture.catalog.write(async move |tx| trash::delete(tx, "sha256/ab/x.1", freed).await).await.unwrap();
    }
    let books = fixture.catalog.read(async |r| ledger::books(r).await).await.unwrap();
    assert_eq!((books.collected_bytes, books.freed_bytes, books.difference_bytes), (1000, 900, 100));
    assert!(books.add_up());
}

async fn a_damaged_blob_is_not_served_and_heals_with_a_new_placement(on: On) {
    let fixture = Fixture::new(on).await;
    let app = name("app");
    let blob = fixture.push_blob(&app, "layer").await;
    let now = fixture.now();
    let found = fixture.catalog.read(async |r| blob::find(r, &app, &blob).await).await.unwrap().unwrap();
    let other = blob::Placement::Stored("sha256/ab/other.1".into());
    let marked = fixture
        .catalog
        .write(async move |tx| {
            // Someone who looked at bytes that lie elsewhere has no say about these.
            assert!(!blob::mark_damaged(tx, found.id, &blob, &other, now).await?);
            blob::mark_damaged(tx, found.id, &blob, &found.placement, now).await
        })
        .await
        .unwrap();
    assert!(marked);
    assert!(!is_readable(&fixture, "app", &blob).await);
    let missing = fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::find(tx, &name("app")).await?.unwrap();
            blob::insert(tx, &repository, &blob, 5, None, now).await
        })
        .await
        .unwrap();
    assert_eq!(missing, blob::Inserted::Missing, "a mount or a known push must not revive damage");
    fixture.push_blob(&app, "layer").await;
    assert!(is_readable(&fixture, "app", &blob).await);
}

async fn untagged_manifests_go_and_children_and_referrers_of_kept_ones_stay(on: On) {
    let fixture = Fixture::new(on).await;
    let (app, now) = (name("app"), fixture.now());
    let (child, index) = (digest("child"), digest("index"));
    let referrer = digest("referrer");
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::ensure(tx, &name("app"), now).await?;
            let new = |digest, content: &'static str, children: Vec<Digest>, subject: Option<Digest>| {
                manifest::New {
                    digest,
                    media_type: "t".into(),
                    referrer: subject.map(|subject| manifest::Referrer {
                        subject,
                        artifact_type: None,
                        descriptor: "{}".into(),
                    }),
                    content: content.into(),
                    blobs: Vec::new(),
                    missing: Vec::new(),
                    children,
                    depth: 1,
                }
            };
            manifest::insert(tx, &repository, &new(child, "child", vec![], None), now).await?;
            let (id, _) =
                manifest::insert(tx, &repository, &new(index, "index", vec![child], None), now).await?;
            manifest::insert(tx, &repository, &new(referrer, "referrer", vec![], Some(index)), now).await?;
            manifest::insert(tx, &repository, &new(digest("loose"), "loose", vec![], None), now).await?;
            tag::move_to(tx, &repository, &"1".parse().unwrap(), id, now).await.map(drop)
        })
        .await
        .unwrap();
    later(&fixture);
    assert_eq!(decide_manifests(&fixture).await, [digest("loose")]);

    let now = fixture.now();
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::find(tx, &app).await?.unwrap();
            tag::delete(tx, &repository, &"1".parse().unwrap(), now).await.map(drop)
        })
        .await
        .unwrap();
    later(&fixture);
    assert_eq!(decide_manifests(&fixture).await, [index], "the index goes first");
    later(&fixture);
    let mut rest = decide_manifests(&fixture).await;
    rest.sort();
    let mut expected = vec![child, referrer];
    expected.sort();
    assert_eq!(rest, expected, "then what it kept");
}

async fn decide_manifests(fixture: &Fixture) -> Vec<Digest> {
    let cutoff = fixture.now();
    let items =
        fixture.catalog.read(async |r| review::list_manifests(r, cutoff, None, 100).await).await.unwrap();
    fixture
        .catalog
        .write(async move |tx| {
            let mut gone = Vec::new();
            for item in &items {
                if review::decide_manifest(tx, item, cutoff, cutoff).await? {
                    gone.push(item.digest);
                }
            }
            Ok::<_, Error>(gone)
        })
        .await
        .unwrap()
}

async fn a_told_client_gets_its_whole_delay_again(on: On) {
    let fixture = Fixture::new(on).await;
    let app = name("app");
    let blob = fixture.push_blob(&app, "layer").await;
    let found = fixture.catalog.read(async |r| blob::find(r, &app, &blob).await).await.unwrap().unwrap();
    fixture.clock.advance(std::time::Duration::from_secs(100));
    let now = fixture.now();
    fixture.catalog.write(async move |tx| link::renew(tx, &name("app"), found.id, now).await).await.unwrap();
    let cutoff = now - SignedDuration::from_secs(50);
    let due = fixture.catalog.read(async |r| review::list_links(r, cutoff, None, 10).await).await.unwrap();
    assert!(due.is_empty());
}

on_both! {
    a_blob_that_no_manifest_names_goes_and_a_named_one_stays,
    the_last_manifest_to_go_takes_its_blobs_and_another_repository_keeps_them,
    a_push_between_the_look_and_the_decision_saves_the_blob,
    a_condemned_blob_is_revived_by_a_push_of_the_same_bytes,
    a_stored_blob_leaves_through_the_trash_and_the_ledger_adds_up,
    a_damaged_blob_is_not_served_and_heals_with_a_new_placement,
    untagged_manifests_go_and_children_and_referrers_of_kept_ones_stay,
    a_told_client_gets_its_whole_delay_again,
}
