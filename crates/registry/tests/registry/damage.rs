//! Damage: never served, found by the scrub, healed by a push.

use std::sync::Arc;
use std::time::Duration;

use berth_blobs::testing::{Failure, Operation};
use berth_catalog::job::{self, NewJob, State};
use berth_jobs::Runner;
use berth_registry::{Error, ScrubJob};

use crate::fixture::{Fixture, On, begin, large, on_one_pool_thread, sha256};

fn flip_a_bit(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[99_999] ^= 0x80;
    std::fs::write(file, bytes).unwrap();
}

async fn count_damaged(fixture: &Fixture) -> usize {
    fixture.events().await.iter().filter(|event| event.starts_with("blob_damaged")).count()
}

async fn a_missing_or_truncated_file_is_not_served_and_a_push_heals_it(on: On) {
    for destroy in [(|path| std::fs::remove_file(path).unwrap()) as fn(&std::path::Path), |path| {
        std::fs::write(path, b"short").unwrap();
    }] {
        let fixture = Fixture::new(on).await;
        fixture.push_image("app", "1", &[&large(1)]).await;
        let layer = sha256(&large(1));
        destroy(&fixture.files()[0]);
        let fixture = fixture.restart().await;
        assert!(matches!(fixture.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
        let verified = fixture.registry.verify(|_| ()).await.unwrap();
        assert_eq!(verified.problems.len(), 1);
        // A client that asks is told to push it, and does.
        assert!(fixture.registry.stat_blob(&fixture.may("app"), &layer).await.is_err());
        fixture.push_blob("app", &large(1)).await;
        assert_eq!(fixture.pull_blob("app", &layer).await.unwrap(), large(1));
        assert!(fixture.registry.verify(|_| ()).await.unwrap().problems.is_empty());
        assert!(fixture.events().await.iter().any(|event| event.starts_with("blob_damaged")));
    }
}

async fn the_scrub_finds_a_flipped_bit_and_a_repaired_disk(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_image("app", "1", &[&large(1), &large(2), b"inline"]).await;
    assert_eq!(fixture.scrub().await.damaged, 0);
    let file = &fixture.files()[0];
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    flipped[99_999] ^= 0x80;
    std::fs::write(file, flipped).unwrap();

    let report = fixture.scrub().await;
    assert_eq!((report.checked, report.damaged), (4, 1));
    let damaged = sha256(&whole);
    assert!(fixture.pull_blob("app", &damaged).await.is_err(), "quarantined");
    std::fs::write(file, &whole).unwrap();
    let report = fixture.scrub().await;
    assert_eq!((report.damaged, report.recovered), (0, 1));
    assert_eq!(fixture.pull_blob("app", &damaged).await.unwrap(), whole);
}

async fn the_scrub_removes_files_that_nothing_knows(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_image("app", "1", &[&large(1)]).await;
    let known = fixture.files()[0].clone();
    let name = known.file_name().unwrap().to_str().unwrap();
    let (hex, _) = name.split_once('.').unwrap();
    let orphan = known.with_file_name(format!("{hex}.{}", "0".repeat(32)));
    std::fs::write(&orphan, large(1)).unwrap();
    let report = fixture.scrub().await;
    assert_eq!((report.orphans, report.orphan_bytes), (1, 100_000));
    assert_eq!(fixture.files(), [known]);
}

/// A client that pushes anyway has good bytes in hand: they must not be thrown away for a row that only says so.
async fn a_push_notices_that_the_known_bytes_are_gone(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_image("app", "1", &[&large(1)]).await;
    std::fs::remove_file(&fixture.files()[0]).unwrap();
    let fixture = fixture.restart().await;
    fixture.push_blob("app", &large(1)).await;
    assert_eq!(fixture.pull_blob("app", &sha256(&large(1))).await.unwrap(), large(1));
}

async fn a_file_cut_short_while_it_is_open_is_noticed_by_the_next_pull(on: On) {
    let fixture = Fixture::new(on).await;
    let layer = fixture.push_blob("app", &large(1)).await;
    fixture.pull_blob("app", &layer).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(&fixture.files()[0]).unwrap().set_len(7).unwrap();
    assert!(matches!(fixture.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
    assert_eq!(count_damaged(&fixture).await, 1);
}

/// Who began to read before the blob was healed has seen bytes that are not its bytes any more.
#[test]
fn a_slow_reader_of_damaged_bytes_does_not_mark_the_healed_blob() {
    on_one_pool_thread(async {
        let fixture = Fixture::with(On::Sqlite, |config| config.storage.verify_on_read = true).await;
        let layer = fixture.push_blob("app", &large(1)).await;
        flip_a_bit(&fixture.files()[0]);
        let mut slow = Box::pin(fixture.pull_blob("app", &layer));
        begin(&mut slow).await;
        let mut scrub = Box::pin(fixture.scrub());
        begin(&mut scrub).await;
        assert!(matches!(fixture.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
        fixture.push_blob("app", &large(1)).await;

        assert!(matches!(slow.await, Err(Error::Busy)), "it is there: ask again");
        assert_eq!(scrub.await.damaged, 0);
        assert_eq!(fixture.pull_blob("app", &layer).await.unwrap(), large(1));
        assert_eq!(count_damaged(&fixture).await, 1);
    });
}

async fn bytes_that_cannot_be_read_now_are_not_taken_for_wrong(on: On) {
    let fixture = Fixture::with(on, |config| config.storage.verify_on_read = true).await;
    for n in 1..4 {
        fixture.push_blob("app", &large(n)).await;
    }
    let first = sha256(&large(1));
    for operation in [Operation::Open, Operation::Read] {
        fixture.faults.fail(operation, Failure::Broken);
        let report = fixture.scrub().await;
        assert_eq!((report.checked, report.unreadable, report.damaged), (3, 1, 0), "{operation:?}");
        fixture.faults.fail(operation, Failure::Broken);
        let pulled = fixture.pull_blob("app", &first).await;
        assert!(matches!(pulled, Err(Error::Internal(_))), "{operation:?}: {pulled:?}");
        assert_eq!(fixture.pull_blob("app", &first).await.unwrap(), large(1));
    }
    fixture.faults.fail(Operation::Read, Failure::Truncated(7));
    assert_eq!(fixture.scrub().await.damaged, 1, "an end that comes too early is no failure of the disk");
}

/// At 1 byte per second a large blob takes days: the shutdown must not wait for its end.
async fn a_scrub_stops_inside_a_blob(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_blob("app", &large(1).repeat(40)).await;
    let catalog = fixture.registry.catalog();
    let now = fixture.clock.now();
    let payload = ScrubJob::payload(Some(1));
    let new = NewJob { kind: ScrubJob::KIND, slot: None, payload, run_at: now };
    let id = catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = Runner::new(catalog.clone())
        .handle(ScrubJob::KIND, Arc::new(ScrubJob::new(fixture.registry.clone())));
    let running = tokio::spawn(runner.run(stopped));
    // Long enough for a scrub that would not wait.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = catalog.read(async |r| job::find(r, id).await).await.unwrap().unwrap();
    assert_eq!(found.state, State::Running);
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("it stops").unwrap();
    let left = catalog.read(async |r| job::find(r, id).await).await.unwrap().unwrap();
    assert_eq!((left.state, left.progress), (State::Queued, None), "and comes back to the same blob");
}

on_both! {
    a_missing_or_truncated_file_is_not_served_and_a_push_heals_it,
    the_scrub_finds_a_flipped_bit_and_a_repaired_disk,
    the_scrub_removes_files_that_nothing_knows,
    a_push_notices_that_the_known_bytes_are_gone,
    a_file_cut_short_while_it_is_open_is_noticed_by_the_next_pull,
    bytes_that_cannot_be_read_now_are_not_taken_for_wrong,
    a_scrub_stops_inside_a_blob,
}
