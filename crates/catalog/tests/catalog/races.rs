//! Two nodes at once on the same rows: units of work run again until each stands as if it had been alone.

use std::collections::BTreeMap;

use berth_catalog::job::{self, NewJob};
use berth_catalog::pull::{self, Delta};
use berth_catalog::{Catalog, Error, Tx, blob, link, manifest, repository, review, tag};
use berth_oci::Digest;
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::{Fixture, On, digest, name};

const KINDS: [&str; 4] = ["a", "b", "c", "d"];

/// A node beside the fixture's.
async fn beside(fixture: &Fixture) -> Catalog {
    fixture.place.open(fixture.clock.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_counter_counts_everything() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = beside(&fixture).await;
    let (app, now) = (name("app"), fixture.now());
    fixture.catalog.write(async move |tx| repository::ensure(tx, &name("app"), now).await).await.unwrap();
    let units = (0..200).map(|n| {
        let node = if n % 2 == 0 { &fixture.catalog } else { &other };
        let delta = Delta { repository: name("app"), reference: "1".into(), count: 1, last_at: now };
        node.write(async move |tx| pull::add(tx, &delta).await)
    });
    for outcome in join_all(units).await {
        outcome.unwrap();
    }
    let found = fixture.catalog.read(async |r| pull::find(r, &app, "1").await).await.unwrap();
    assert_eq!(found.unwrap().0, 200);
}

/// Every move tells what was there before: put together, they must make one chain without forks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tag_moves_in_one_order() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = beside(&fixture).await;
    let (app, now) = (name("app"), fixture.now());
    let mut targets = Vec::new();
    for n in 0..40 {
        targets.push(fixture.push_manifest(&app, &format!("manifest {n}"), &[], &[]).await);
    }
    let units = targets.iter().enumerate().map(|(n, &target)| {
        let node = if n % 2 == 0 { &fixture.catalog } else { &other };
        node.write(async move |tx| {
            let repository = repository::ensure(tx, &name("app"), now).await?;
            let id = manifest::find_id(tx, &repository, &target).await?.unwrap();
            tag::move_to(tx, &repository, &"1".parse().unwrap(), id, now).await
        })
    });
    let mut seen: BTreeMap<Option<Digest>, usize> = BTreeMap::new();
    for outcome in join_all(units).await {
        *seen.entry(outcome.unwrap()).or_default() += 1;
    }
    let last = fixture
        .catalog
        .read(async |r| {
            let repository = repository::find(r, &app).await?.unwrap();
            tag::find(r, &repository, &"1".parse().unwrap()).await
        })
        .await
        .unwrap_or_else(|error: Error| panic!("{error}"));
    *seen.entry(last.map(|(_, digest)| digest)).or_default() += 1;
    let expected = targets.into_iter().map(|target| (Some(target), 1)).chain([(None, 1)]).collect();
    assert_eq!(seen, expected, "each was the tag's target once, and left it once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_push_makes_one_repository() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = beside(&fixture).await;
    let now = fixture.now();
    for round in 0..20 {
        let units = (0..8).map(|n| {
            let node = if n % 2 == 0 { &fixture.catalog } else { &other };
            node.write(async move |tx| repository::ensure(tx, &name(&format!("r{round}")), now).await)
        });
        for outcome in join_all(units).await {
            outcome.unwrap();
        }
    }
    let stats = (fixture.catalog.writer_stats(), other.writer_stats());
    assert!(stats.0.retries + stats.1.retries > 0, "they never met: {stats:?}");
}

/// What the collector found unneeded may be named by a push at the same moment: one of them must notice the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_manifest_loses_its_blob_to_a_collection() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = beside(&fixture).await;
    let app = name("app");
    let (mut pushed, mut dropped) = (0, 0);
    for round in 0..60 {
        let content = format!("blob {round}");
        let layer = fixture.push_blob(&app, &content).await;
        fixture.clock.advance(std::time::Duration::from_secs(1));
        let (cutoff, now) = (fixture.now(), fixture.now());
        let links =
            fixture.catalog.read(async |r| review::list_links(r, cutoff, None, 10).await).await.unwrap();
        assert_eq!(links.len(), 1);
        let push = fixture.catalog.write(async move |tx: &mut Tx| {
            let repository = repository::ensure(tx, &name("app"), now).await?;
            let Some((id, ..)) = link::find(tx, &repository, &layer).await? else { return Ok(false) };
            let new = manifest::New {
                digest: digest(&format!("manifest {round}")),
                media_type: "t".into(),
                referrer: None,
                content: "{}".into(),
                blobs: vec![id],
                missing: Vec::new(),
                children: Vec::new(),
                depth: 1,
            };
            manifest::insert(tx, &repository, &new, now).await?;
            Ok::<_, Error>(true)
        });
        let collect = other.write(async move |tx| review::decide_link(tx, &links[0], cutoff).await);
        let (push, collect) = tokio::join!(push, collect);
        let (push, collect) = (push.unwrap(), collect.unwrap());
        assert!(push != collect, "round {round}: pushed {push}, dropped {collect}");
        pushed += usize::from(push);
        dropped += usize::from(collect);
        let found = other.read(async |r| blob::find(r, &app, &layer).await).await.unwrap();
        assert_eq!(found.is_some(), push, "round {round}");
    }
    assert_eq!(pushed + dropped, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_is_claimed_by_one_worker() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = beside(&fixture).await;
    let now = fixture.now();
    for _ in 0..10 {
        for kind in KINDS {
            let new = NewJob { kind, slot: None, payload: "{}".into(), run_at: now };
            fixture.catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap();
        }
        let claims = (0..12).map(|n| {
            let node = if n % 2 == 0 { &fixture.catalog } else { &other };
            node.write(async move |tx| match job::find_due(tx, None, now).await? {
                Some(id) => {
                    job::claim(tx, id, &format!("lease {n}"), now + SignedDuration::from_mins(1)).await
                }
                None => Ok(None),
            })
        });
        let mut claimed: Vec<_> = join_all(claims).await.into_iter().filter_map(Result::unwrap).collect();
        claimed.sort_by(|one, other| one.kind.cmp(&other.kind));
        let kinds: Vec<_> = claimed.iter().map(|job| job.kind.as_str()).collect();
        assert_eq!(kinds, KINDS, "one of each kind runs, no more");
        assert!(claimed.iter().all(|job| job.attempts == 1), "{claimed:?}");
        fixture.alter("DELETE FROM job");
    }
}
