//! Job rows: one worker at a time, none lost.

use berth_catalog::job::{self, Job, JobId, NewJob, Outcome, State};
use jiff::{SignedDuration, Timestamp};

use crate::{Fixture, On, on_both};

const LEASE: SignedDuration = SignedDuration::from_secs(30);

async fn enqueue(fixture: &Fixture, kind: &'static str, slot: Option<&str>) -> Option<JobId> {
    let now = fixture.now();
    let new = NewJob { kind, slot: slot.map(Into::into), payload: "{}".into(), run_at: now };
    fixture.catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap()
}

async fn claim_one(fixture: &Fixture, lease: &'static str, wanted: Option<JobId>) -> Option<Job> {
    let now = fixture.now();
    fixture
        .catalog
        .write(async move |tx| match job::find_due(tx, wanted, now).await? {
            Some(id) => job::claim(tx, id, lease, now + LEASE).await,
            None => Ok(None),
        })
        .await
        .unwrap()
}

async fn claim(fixture: &Fixture, lease: &'static str) -> Option<Job> {
    claim_one(fixture, lease, None).await
}

async fn finish(fixture: &Fixture, id: JobId, lease: &'static str, outcome: Outcome) -> bool {
    let now = fixture.now();
    fixture.catalog.write(async move |tx| job::finish(tx, id, lease, &outcome, now).await).await.unwrap()
}

async fn hasten(fixture: &Fixture, payload: &'static str, run_at: Timestamp) {
    fixture.catalog.write(async move |tx| job::hasten(tx, "gc", payload, run_at).await).await.unwrap();
}

async fn find(fixture: &Fixture, id: JobId) -> Option<Job> {
    fixture.catalog.read(async |r| job::find(r, id).await).await.unwrap()
}

async fn a_slot_holds_one_open_job(on: On) {
    let fixture = Fixture::new(on).await;
    assert!(enqueue(&fixture, "collect", Some("gc")).await.is_some());
    assert!(enqueue(&fixture, "collect", Some("gc")).await.is_none());
    assert!(enqueue(&fixture, "collect", None).await.is_some());
    assert!(enqueue(&fixture, "collect", None).await.is_some());
}

async fn the_last_job_of_a_slot_is_found_and_called_off(on: On) {
    let fixture = Fixture::new(on).await;
    let last = async || fixture.catalog.read(async |r| job::find_last(r, "pull").await).await.unwrap();
    let call_off = async || {
        let now = fixture.now();
        fixture.catalog.write(async move |tx| job::call_off(tx, "pull", "told to", now).await).await.unwrap()
    };
    assert!(last().await.is_none() && !call_off().await);
    let first = enqueue(&fixture, "pull", Some("pull")).await.unwrap();
    assert_eq!(claim(&fixture, "a").await.unwrap().id, first);
    assert!(call_off().await && !call_off().await);
    let found = last().await.unwrap();
    assert_eq!((found.id, found.state, found.error.as_deref()), (first, State::Failed, Some("told to")));
    assert!(!finish(&fixture, first, "a", Outcome::Done("{}".into())).await, "its worker lost it");
    let second = enqueue(&fixture, "pull", Some("pull")).await.unwrap();
    assert_eq!(last().await.unwrap().id, second);
}

async fn a_claimed_job_is_nobody_elses_until_its_lease_ends(on: On) {
    let fixture = Fixture::new(on).await;
    let id = enqueue(&fixture, "collect", None).await.unwrap();
    assert_eq!(claim(&fixture, "a").await.unwrap().id, id);
    assert!(claim(&fixture, "b").await.is_none());

    fixture.clock.advance(std::time::Duration::from_secs(31));
    let taken = claim(&fixture, "b").await.unwrap();
    assert_eq!((taken.id, taken.attempts), (id, 2));

    let until = fixture.now() + LEASE;
    let kept = fixture
        .catalog
        .write(async move |tx| {
            job::release(tx, id, "a").await?;
            job::renew(tx, id, "a", until, Some("{}")).await
        })
        .await
        .unwrap();
    let ended = finish(&fixture, id, "a", Outcome::Done("{}".into())).await;
    assert!(!kept && !ended, "a claim that lost its lease has no say");
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.state, job.attempts, job.progress), (State::Running, 2, None));
}

async fn one_job_of_a_kind_runs_at_a_time(on: On) {
    let fixture = Fixture::new(on).await;
    let first = enqueue(&fixture, "scrub", None).await.unwrap();
    let second = enqueue(&fixture, "scrub", None).await.unwrap();
    let other = enqueue(&fixture, "collect", None).await.unwrap();
    assert_eq!(claim(&fixture, "a").await.unwrap().id, first);
    assert_eq!(claim(&fixture, "b").await.unwrap().id, other);
    assert!(claim(&fixture, "c").await.is_none());

    fixture.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(claim(&fixture, "d").await.unwrap().id, first, "not the one behind it: its worker may live");
    assert!(finish(&fixture, first, "d", Outcome::Done("{}".into())).await);
    assert_eq!(claim_one(&fixture, "e", Some(second)).await.unwrap().id, second);
}

async fn who_wants_one_job_gets_no_other(on: On) {
    let fixture = Fixture::new(on).await;
    let overdue = enqueue(&fixture, "collect", None).await.unwrap();
    fixture.clock.advance(std::time::Duration::from_mins(1));
    let wanted = enqueue(&fixture, "collect", None).await.unwrap();
    assert_eq!(claim_one(&fixture, "a", Some(wanted)).await.unwrap().id, wanted);
    assert_eq!(find(&fixture, overdue).await.unwrap().state, State::Queued);
    assert!(claim_one(&fixture, "a", Some(JobId(99))).await.is_none());
}

async fn a_retry_waits_and_a_done_job_frees_its_slot(on: On) {
    let fixture = Fixture::new(on).await;
    let id = enqueue(&fixture, "collect", Some("gc")).await.unwrap();
    claim(&fixture, "a").await.unwrap();
    let later = fixture.now() + SignedDuration::from_secs(5);
    assert!(finish(&fixture, id, "a", Outcome::Retry("disk was full".into(), later)).await);
    assert!(claim(&fixture, "b").await.is_none());
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.run_at, job.error.as_deref()), (later, Some("disk was full")));

    fixture.clock.advance(std::time::Duration::from_secs(5));
    claim(&fixture, "c").await.unwrap();
    assert!(finish(&fixture, id, "c", Outcome::Done(r#"{"blobs":1}"#.into())).await);
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.state, job.progress.as_deref()), (State::Done, Some(r#"{"blobs":1}"#)));
    assert!(enqueue(&fixture, "collect", Some("gc")).await.is_some());
}

async fn the_run_that_waits_in_a_slot_can_be_hastened_and_cancelled(on: On) {
    let fixture = Fixture::new(on).await;
    let (now, id) = (fixture.now(), enqueue(&fixture, "collect", Some("gc")).await.unwrap());
    hasten(&fixture, "[1]", now + LEASE).await;
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.run_at, job.payload.as_str()), (now, "[1]"), "it never waits longer than before");
    hasten(&fixture, "[2]", now - LEASE).await;
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.run_at, job.payload.as_str()), (now - LEASE, "[2]"));

    claim(&fixture, "a").await.unwrap();
    hasten(&fixture, "[3]", now - LEASE - LEASE).await;
    let cancel = async |tx: &mut berth_catalog::Tx| job::cancel(tx, "gc").await;
    fixture.catalog.write(cancel).await.unwrap();
    let job = find(&fixture, id).await.unwrap();
    assert_eq!((job.state, job.payload.as_str()), (State::Running, "[2]"), "a run at work goes on");

    fixture.catalog.write(async move |tx| job::release(tx, id, "a").await).await.unwrap();
    fixture.catalog.write(cancel).await.unwrap();
    assert!(find(&fixture, id).await.is_none());
}

on_both! {
    a_slot_holds_one_open_job,
    the_last_job_of_a_slot_is_found_and_called_off,
    a_claimed_job_is_nobody_elses_until_its_lease_ends,
    one_job_of_a_kind_runs_at_a_time,
    who_wants_one_job_gets_no_other,
    a_retry_waits_and_a_done_job_frees_its_slot,
    the_run_that_waits_in_a_slot_can_be_hastened_and_cancelled,
}
