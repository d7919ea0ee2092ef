//! Runs that come again.

use std::sync::mpsc;
use std::time::Duration;

use berth_catalog::job::{self, Job, State};
use berth_catalog::{Catalog, Error, Tx};
use berth_jobs::Schedule;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::Step::{Done, Permanent, Stay};
use crate::{Deed, Fixture, On, PATIENCE, Running, on_both, seconds};

const HOUR: Duration = Duration::from_hours(1);

fn every(every: impl Into<Option<Duration>>) -> Schedule {
    Schedule { kind: "work", every: every.into(), payload: r#"{"of":"schedule"}"#.into() }
}

/// Waits for the first, second, … of the jobs enqueued.
async fn wait_for(fixture: &Fixture, number: usize, is: impl Fn(&Job) -> bool) -> Job {
    fixture.wait_for_nth(number, is).await
}

fn start(fixture: &Fixture, deed: &Deed, schedule: Schedule) -> Running {
    Running::start(fixture.runner("work", deed).schedule(schedule))
}

async fn the_end_of_a_run_enqueues_the_next(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Permanent, Done]);
    let running = start(&fixture, &deed, every(HOUR));
    for (id, state) in [(1, State::Failed), (2, State::Done)] {
        let job = wait_for(&fixture, id, |job| job.state == State::Queued).await;
        assert_eq!((job.run_at, job.slot.as_deref()), (fixture.now() + seconds(3600), Some("work")));
        fixture.clock.advance(HOUR);
        wait_for(&fixture, id, |job| job.state == state).await;
    }
    wait_for(&fixture, 3, |job| job.state == State::Queued).await;
    running.stop().await;
    assert_eq!(deed.tries().len(), 2);
}

#[tokio::test]
async fn a_catalog_that_is_busy_at_the_start_only_delays_the_schedule() {
    let fixture = Fixture::new(On::Sqlite).await;
    let other = Catalog::join(&fixture.dir.path().join("catalog.db"), fixture.clock.clone()).unwrap();
    let (begun, beginning) = oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let begun = Mutex::new(Some(begun));
    let holding = tokio::spawn(async move {
        let transaction = async move |_: &mut Tx| {
            begun.lock().take().unwrap().send(()).unwrap();
            held.recv_timeout(PATIENCE).map_err(|error| Error::Database(error.to_string()))
        };
        other.write(transaction).await
    });
    beginning.await.unwrap();
    let deed = Deed::new(&[Done]);
    let running = start(&fixture, &deed, every(HOUR));
    // The catalog waits ten seconds for another process's transaction.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(fixture.find_nth(1).await.is_none());
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    wait_for(&fixture, 1, |job| job.state == State::Queued).await;
    fixture.clock.advance(HOUR);
    wait_for(&fixture, 1, |job| job.state == State::Done).await;
    running.stop().await;
}

async fn a_run_that_waits_follows_the_schedule_of_today(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Done]);
    let far: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let new = job::NewJob { kind: "work", slot: Some("work".into()), payload: "{}".into(), run_at: far };
    fixture.catalog.write(async move |tx| job::enqueue(tx, &new, far).await).await.unwrap().unwrap();

    let running = start(&fixture, &deed, every(HOUR));
    let job = wait_for(&fixture, 1, |job| job.run_at < far).await;
    assert_eq!((job.run_at, job.payload.as_str()), (fixture.now() + seconds(3600), r#"{"of":"schedule"}"#));
    running.stop().await;

    let running = start(&fixture, &deed, every(HOUR * 24));
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.stop().await;
    let job = fixture.find_nth(1).await.unwrap();
    assert_eq!(job.run_at, fixture.now() + seconds(3600), "one that was due earlier stays");
}

async fn without_a_schedule_the_run_that_waits_goes(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay]);
    let overdue = fixture.enqueue_in("work", Some("work")).await;
    let running = start(&fixture, &deed, every(None));
    while fixture.find(overdue).await.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let by_hand = fixture.enqueue("work").await;
    deed.wait_for_tries(1).await;
    running.stop().await;
    assert_eq!(deed.tries(), [by_hand]);
}

async fn an_interval_without_end_is_never(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Done]);
    let running = start(&fixture, &deed, every(Duration::MAX));
    let job = wait_for(&fixture, 1, |job| job.state == State::Queued).await;
    assert!(job.run_at.duration_since(fixture.now()) > SignedDuration::from_hours(24 * 365 * 1000));
    running.stop().await;
}

on_both! {
    the_end_of_a_run_enqueues_the_next,
    a_run_that_waits_follows_the_schedule_of_today,
    without_a_schedule_the_run_that_waits_goes,
    an_interval_without_end_is_never,
}
