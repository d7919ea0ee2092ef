//! The audit trail: one chain whoever writes, each event once, nothing younger than half a year deleted.

use std::sync::Arc;
use std::time::Duration;

use berth_catalog::trail::archived::{self, Archived};
use berth_catalog::trail::{self, Entry, Hash, RetentionDays, Trail, checkpoint, head, retention, taking};
use berth_catalog::{Error, subject};
use berth_engines::Postgres;
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::{Fixture, On, Place, config, on_both};

/// Opens the trail beside a fixture's catalog.
pub(crate) async fn open(fixture: &Fixture) -> Trail {
    match &fixture.place {
        Place::Directory(directory) => {
            Trail::open(&directory.path().join("audit.db"), fixture.clock.clone()).unwrap()
        }
        Place::Database(url) => Trail::connect(&config(url), fixture.clock.clone()).await.unwrap(),
    }
}

/// Opens it as another process.
async fn visit(fixture: &Fixture) -> Trail {
    match &fixture.place {
        Place::Directory(directory) => {
            Trail::join(&directory.path().join("audit.db"), fixture.clock.clone()).unwrap()
        }
        Place::Database(url) => Trail::visit(&config(url), fixture.clock.clone()).await.unwrap(),
    }
}

fn alter(fixture: &Fixture, sql: &str) {
    match &fixture.place {
        Place::Directory(directory) => {
            let connection = rusqlite::Connection::open(directory.path().join("audit.db")).unwrap();
            connection.execute_batch(sql).unwrap();
        }
        Place::Database(url) => drop(Postgres::query(url, sql)),
    }
}

pub(crate) fn entry(at: Timestamp, id: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        at,
        action: "pull".into(),
        outcome: "success".into(),
        actor: "person-1".into(),
        kind: "user".into(),
        proof: "password".into(),
        project: Some("library".into()),
        repository: Some("library/app".into()),
        tag: Some("1".into()),
        digest: None,
        status: Some(200),
        request_id: Some("r".into()),
        client: Some("192.0.2.1".into()),
        agent: Some("docker/28\0".into()),
        personal: Some(vec![1, 2, 3]),
        detail: "{}".into(),
        event: None,
    }
}

async fn append(trail: &Trail, entries: Vec<Entry>) -> head::Head {
    let entries: Arc<[Entry]> = entries.into();
    trail
        .write(async move |tx| trail::append(tx, &entries).await)
        .await
        .unwrap_or_else(|error: Error| panic!("{error}"))
}

/// Every record follows the one before, and the head is the last.
async fn assert_whole(trail: &Trail) -> Vec<trail::Record> {
    let head = trail.read(async |r| head::find(r).await).await.unwrap();
    let records = trail.read(async |r| trail::list(r, 0, 100_000).await).await.unwrap();
    let (mut position, mut hash) = (head.first - 1, head.before);
    for record in &records {
        assert_eq!(record.position, position + 1);
        assert_eq!(record.hash, record.hash_behind(&hash), "record {}", record.position);
        (position, hash) = (record.position, record.hash);
    }
    assert_eq!((head.position, head.hash), (position, hash));
    assert_eq!(head.position - head.first + 1, i64::try_from(records.len()).unwrap());
    records
}

async fn records_are_chained_and_come_back_as_they_went_in(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    let now = fixture.now();
    append(&trail, vec![entry(now, "a"), entry(now, "b")]).await;
    let plain = Entry { personal: None, client: None, agent: None, event: Some(7), ..entry(now, "c") };
    append(&trail, vec![plain.clone()]).await;
    let records = assert_whole(&trail).await;
    assert_eq!(records[2].entry, plain);
    assert_eq!(records[0].entry.agent.as_deref(), Some("docker/28\u{fffd}"), "text holds no NUL on Postgres");
    let back = trail.read(async |r| trail::list_back(r, 3, 1).await).await.unwrap();
    assert_eq!(back[0].entry.id, "b");
    let actor = trail.read(async |r| trail::list_of_actor(r, "person-1", now, 10).await).await.unwrap();
    assert_eq!(actor.len(), 3);
    let done = async |action| trail.read(async |r| trail::last_done(r, action).await).await.unwrap();
    assert_eq!((done(records[2].entry.action.as_str()).await, done("nothing").await), (Some(now), None));
}

async fn what_may_be_there_already_is_added_once(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    let now = fixture.now();
    append(&trail, vec![entry(now, "a")]).await;
    for _ in 0..2 {
        let entries = [entry(now, "a"), entry(now, "b")];
        let added = trail.write(async move |tx| trail::append_missing(tx, &entries).await).await;
        assert_eq!(added.unwrap_or_else(|error: Error| panic!("{error}")).position, 2);
    }
    assert_whole(&trail).await;
}

async fn events_are_copied_once_whoever_is_first(on: On) {
    let fixture = Fixture::new(on).await;
    let nodes = [open(&fixture).await, visit(&fixture).await];
    let now = fixture.now();
    let copies = (0..8).map(|n| {
        let entries =
            [Entry { event: Some(1), ..entry(now, "a") }, Entry { event: Some(2), ..entry(now, "b") }];
        nodes[n % 2].write(async move |tx| trail::copy_events(tx, 0, 2, &entries).await)
    });
    let outcomes = join_all(copies).await.into_iter().map(|outcome: Result<_, Error>| outcome.unwrap());
    assert_eq!(outcomes.flatten().count(), 1);
    assert_eq!(assert_whole(&nodes[0]).await.len(), 2);
    assert_eq!(nodes[1].read(async |r| head::find(r).await).await.unwrap().event, 2);
    let again = [Entry { event: Some(2), ..entry(now, "c") }];
    let twice = nodes[0].write(async move |tx| trail::append(tx, &again).await).await;
    assert!(twice.is_err(), "the copy of an event is unique");
    assert_whole(&nodes[0]).await;
}

async fn two_writers_make_one_chain(on: On) {
    let fixture = Fixture::new(on).await;
    let nodes = [open(&fixture).await, visit(&fixture).await];
    let now = fixture.now();
    let batches = (0..40).map(|batch| {
        let entries = (0..10).map(|n| entry(now, &format!("{batch}-{n}"))).collect();
        append(&nodes[batch % 2], entries)
    });
    join_all(batches).await;
    let records = assert_whole(&nodes[0]).await;
    assert_eq!(records.len(), 400);
    let ids: std::collections::BTreeSet<_> = records.iter().map(|record| &record.entry.id).collect();
    assert_eq!(ids.len(), 400);
}

async fn nothing_young_is_deleted(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    append(&trail, vec![entry(fixture.now(), "a"), entry(fixture.now(), "b")]).await;
    fixture.clock.advance(Duration::from_hours(180 * 24));
    append(&trail, vec![entry(fixture.now(), "c")]).await;
    let records = assert_whole(&trail).await;
    let remove = |first: i64, last: i64, now| {
        let archived = Archived {
            first,
            last,
            hash: records[usize::try_from(last - 1).unwrap()].hash,
            file: "f".into(),
            sha256: Hash([3; 32]),
            at: now,
            kid: "k".into(),
            signature: vec![4],
        };
        trail.write(async move |tx| retention::remove(tx, &archived, RetentionDays::LEAST, now).await)
    };
    // Exactly 180 days are not more than 180.
    let young = remove(1, 2, fixture.now()).await;
    assert!(matches!(young, Err(Error::TooYoung { position: 1, days: 180 })), "{young:?}");
    fixture.clock.advance(Duration::from_secs(1));
    let young = remove(1, 3, fixture.now()).await;
    assert!(matches!(young, Err(Error::TooYoung { position: 3, .. })), "{young:?}");
    assert!(!remove(2, 2, fixture.now()).await.unwrap(), "the first record stays behind");
    assert!(remove(1, 2, fixture.now()).await.unwrap());
    assert_eq!(trail.read(async |r| head::find(r).await).await.unwrap().first, 3);
    assert_eq!(assert_whole(&trail).await.len(), 1, "the chain goes on from what was deleted");
    assert!(!remove(1, 2, fixture.now()).await.unwrap(), "deleting again deletes nothing");
    let said = trail.read(async |r| archived::list(r, 0, 10).await).await.unwrap();
    assert_eq!(
        said.iter().map(|one| (one.first, one.last, one.hash)).collect::<Vec<_>>(),
        [(1, 2, records[1].hash)]
    );
    assert!(RetentionDays::new(179).is_none());
}

async fn blanking_leaves_the_chain_whole(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    let other = Entry { actor: "person-2".into(), ..entry(fixture.now(), "x") };
    let mut entries: Vec<_> = (0..7).map(|n| entry(fixture.now(), &n.to_string())).collect();
    entries.push(other);
    fixture.clock.advance(Duration::from_secs(1));
    entries.push(entry(fixture.now(), "later"));
    append(&trail, entries).await;
    let mut from = Some(Timestamp::MIN);
    let mut units = 0;
    while let Some(at) = from {
        from = trail
            .write(async move |tx| trail::blank(tx, "person-1", at, 3).await)
            .await
            .unwrap_or_else(|error: Error| panic!("{error}"));
        units += 1;
    }
    assert!(units > 1);
    for record in assert_whole(&trail).await {
        let shown = record.entry.client.is_some() || record.entry.agent.is_some();
        assert_eq!(shown, record.entry.actor == "person-2", "{record:?}");
    }
}

async fn checkpoints_are_kept_once_for_a_position(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    let row = |position| checkpoint::Checkpoint {
        position,
        hash: Hash([7; 32]),
        previous: Hash::ZERO,
        at: fixture.now(),
        kid: "k".into(),
        signature: vec![1; 64],
    };
    for (position, new) in [(3, true), (5, true), (3, false)] {
        let row = row(position);
        let inserted = trail.write(async move |tx| checkpoint::insert(tx, &row).await).await;
        assert_eq!(inserted.unwrap_or_else(|error: Error| panic!("{error}")), new);
    }
    assert_eq!(trail.read(async |r| checkpoint::last(r).await).await.unwrap(), Some(row(5)));
    let listed = trail.snapshot(async |r| checkpoint::list(r, 3, 10).await).await.unwrap();
    assert_eq!(listed, [row(5)]);
}

async fn a_trail_that_lost_its_head_takes_nothing(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    alter(&fixture, "DELETE FROM trail_head");
    let entries = [entry(fixture.now(), "a")];
    let refused = trail.write(async move |tx| trail::append(tx, &entries).await).await;
    assert!(matches!(refused, Err(Error::Invalid { what: "audit trail", .. })), "{refused:?}");
}

/// Takes in what another trail holds, in pieces.
async fn another_trail_is_taken_in_as_it_is(on: On) {
    let (one, two) = (Fixture::new(on).await, Fixture::new(on).await);
    let (from, to) = (open(&one).await, open(&two).await);
    append(&from, (0..5).map(|n| Entry { event: Some(n), ..entry(one.now(), &n.to_string()) }).collect())
        .await;
    let records = assert_whole(&from).await;
    let begin = |first, before| to.write(async move |tx| taking::begin(tx, first, before).await);
    let ready: Result<_, Error> = begin(3, records[1].hash).await;
    assert_eq!(ready.unwrap().position, 2);
    let bring = |records: Vec<trail::Record>| to.write(async move |tx| taking::append(tx, &records).await);
    let gap: Result<_, Error> = bring(records[3..].to_vec()).await;
    assert!(matches!(gap, Err(Error::Invalid { .. })), "{gap:?}");
    let brought: Result<_, Error> = bring(records[2..4].to_vec()).await;
    assert_eq!(brought.unwrap().event, 3);
    assert_eq!(to.read(async |r| taking::taken(r).await).await.unwrap(), Some((4, 4)));
    let again: Result<_, Error> = begin(3, records[1].hash).await;
    assert_eq!(again.unwrap().position, 4, "it goes on");
    let other: Result<_, Error> = begin(1, Hash::ZERO).await;
    assert!(matches!(other, Err(Error::NotFree(_))), "{other:?}");
    let row = checkpoint::Checkpoint {
        position: 4,
        hash: records[3].hash,
        previous: Hash::ZERO,
        at: one.now(),
        kid: "k".into(),
        signature: vec![1],
    };
    let statement = Archived {
        first: 1,
        last: 2,
        hash: records[1].hash,
        file: "f".into(),
        sha256: Hash([1; 32]),
        at: one.now(),
        kid: "k".into(),
        signature: vec![2],
    };
    for _ in 0..2 {
        let (row, statement) = (row.clone(), statement.clone());
        let finished: Result<_, Error> = to
            .write(async move |tx| {
                let (rows, statements) = (std::slice::from_ref(&row), std::slice::from_ref(&statement));
                taking::finish(tx, rows, statements, 9).await
            })
            .await;
        finished.unwrap();
    }
    assert_eq!(assert_whole(&to).await, records[2..4]);
    assert_eq!(to.read(async |r| head::find(r).await).await.unwrap().event, 9);
    assert_eq!(to.read(async |r| archived::list(r, 0, 9).await).await.unwrap(), [statement]);
    let (first, before) = (4, records[2].hash);
    let later: Result<_, Error> =
        to.write(async move |tx| taking::begin_later(tx, first, before).await).await;
    later.unwrap();
    assert_eq!(assert_whole(&to).await, records[3..4]);
    let noted: Result<_, Error> = to.write(async |tx| taking::note_late(tx, 7).await).await;
    noted.unwrap();
    assert_eq!(to.read(async |r| taking::taken(r).await).await.unwrap(), Some((4, 7)));
    for trail in [&to, &from] {
        let cleared: Result<_, Error> = trail.write(async |tx| taking::clear(tx).await).await;
        cleared.unwrap();
    }
    assert_eq!(assert_whole(&to).await, []);
    assert_eq!(assert_whole(&from).await.len(), 5, "what was not taken in stays");
}

async fn persons_are_found_and_forgotten(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let ensure = |pseudonym: &'static str| {
        fixture.catalog.write(async move |tx| subject::ensure(tx, "alice", pseudonym, &[1, 2], now).await)
    };
    let first = ensure("person-1").await.unwrap_or_else(|error: Error| panic!("{error}")).unwrap();
    assert_eq!(
        ensure("person-2").await.unwrap_or_else(|error: Error| panic!("{error}")),
        Some(first.clone())
    );
    let catalog = &fixture.catalog;
    assert_eq!(catalog.read(async |r| subject::find(r, "alice").await).await.unwrap(), Some(first));
    let erased = catalog.write(async move |tx| subject::erase(tx, "alice", now).await).await;
    assert_eq!(erased.unwrap_or_else(|error: Error| panic!("{error}")).as_deref(), Some("person-1"));
    assert_eq!(catalog.read(async |r| subject::find(r, "alice").await).await.unwrap(), None);
    let left =
        catalog.read(async |r| subject::find_by_pseudonym(r, "person-1").await).await.unwrap().unwrap();
    assert_eq!((left.name, left.sealed, left.erased_at), (None, None, Some(now)));
    let list = catalog.read(async |r| subject::list_erased(r, now, 10).await).await.unwrap();
    let forgotten =
        async |after| catalog.read(async |r| subject::list_forgotten(r, after, 10).await).await.unwrap();
    assert_eq!((forgotten("").await, forgotten("person-1").await), (vec!["person-1".to_owned()], vec![]));
    assert_eq!(list, [("person-1".to_owned(), now)]);
    let unfinished =
        async |before| catalog.read(async |r| subject::list_unfinished(r, before, 10).await).await.unwrap();
    assert_eq!(unfinished(now.checked_sub(Duration::from_secs(1)).unwrap()).await, Vec::new());
    assert_eq!(unfinished(now).await, [("person-1".to_owned(), true)]);
    for (minutes, left) in [(1, 1), (16, 0)] {
        let then = now.checked_add(Duration::from_mins(minutes)).unwrap();
        let blanked = catalog.write(async move |tx| subject::blanked(tx, "person-1", then).await).await;
        blanked.unwrap_or_else(|error: Error| panic!("{error}"));
        assert_eq!(unfinished(then).await.len(), left, "whoever had not heard yet may have written more");
    }
    let again = ensure("person-3").await.unwrap_or_else(|error: Error| panic!("{error}")).unwrap();
    assert_eq!(again.pseudonym, "person-3", "who comes back is somebody else");
}

on_both! {
    records_are_chained_and_come_back_as_they_went_in,
    what_may_be_there_already_is_added_once,
    events_are_copied_once_whoever_is_first,
    two_writers_make_one_chain,
    nothing_young_is_deleted,
    blanking_leaves_the_chain_whole,
    checkpoints_are_kept_once_for_a_position,
    a_trail_that_lost_its_head_takes_nothing,
    another_trail_is_taken_in_as_it_is,
    persons_are_found_and_forgotten,
}
