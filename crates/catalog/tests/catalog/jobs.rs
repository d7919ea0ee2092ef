//! Job rows: one worker at a time, none lost.

use berth_catalog::job::{self, NewJob, Outcome, State};
use jiff::SignedDuration;

use crate::Fixture;

fn new(fixture: &Fixture, slot: Option<&str>) -> NewJob {
    NewJob { kind: "collect", slot: slot.map(Into::into), payload: "{}".into(), run_at: fixture.now() }
}

async fn enqueue(fixture: &Fixture, slot: Option<&str>) -> Option<job::JobId> {
    let (new, now) = (new(fixture, slot), fixture.now());
    fixture.catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap()
}

async fn claim(fixture: &Fixture, worker: &'static str) -> Option<job::Job> {
    let (now, until) = (fixture.now(), fixture.now() + SignedDuration::from_secs(30));
    fixture.catalog.write(async move |tx| job::claim(tx, worker, now, until).await).await.unwrap()
}

#[tokio::test]
async fn a_slot_holds_one_open_job() {
    let fixture = Fixture::new();
    assert!(enqueue(&fixture, Some("gc")).await.is_some());
    assert!(enqueue(&fixture, Some("gc")).await.is_none());
    assert!(enqueue(&fixture, None).await.is_some());
    assert!(enqueue(&fixture, None).await.is_some());
}

#[tokio::test]
async fn a_claimed_job_is_nobody_elses_until_its_lease_ends() {
    let fixture = Fixture::new();
    let id = enqueue(&fixture, None).await.unwrap();
    assert_eq!(claim(&fixture, "a").await.unwrap().id, id);
    assert!(claim(&fixture, "b").await.is_none());

    fixture.clock.advance(std::time::Duration::from_secs(31));
    let taken = claim(&fixture, "b").await.unwrap();
    assert_eq!((taken.id, taken.attempts), (id, 2));

    let (now, until) = (fixture.now(), fixture.now() + SignedDuration::from_secs(30));
    let (kept, ended) = fixture
        .catalog
        .write(async move |tx| {
            let kept = job::renew(tx, id, "a", until, Some("{}")).await?;
            let ended = job::finish(tx, id, "a", &Outcome::Done("{}".into()), now).await?;
            Ok::<_, berth_catalog::Error>((kept, ended))
        })
        .await
        .unwrap();
    assert!(!kept && !ended, "a worker that lost its lease has no say");
}

#[tokio::test]
async fn a_retry_waits_and_a_done_job_frees_its_slot() {
    let fixture = Fixture::new();
    let id = enqueue(&fixture, Some("gc")).await.unwrap();
    claim(&fixture, "a").await.unwrap();
    let (now, later) = (fixture.now(), fixture.now() + SignedDuration::from_secs(5));
    let retry = Outcome::Retry("disk was full".into(), later);
    fixture.catalog.write(async move |tx| job::finish(tx, id, "a", &retry, now).await).await.unwrap();
    assert!(claim(&fixture, "a").await.is_none());
    assert_eq!(fixture.catalog.read(async |r| job::next_due(r).await).await.unwrap(), Some(later));

    fixture.clock.advance(std::time::Duration::from_secs(5));
    claim(&fixture, "a").await.unwrap();
    let done = Outcome::Done(r#"{"blobs":1}"#.into());
    fixture.catalog.write(async move |tx| job::finish(tx, id, "a", &done, now).await).await.unwrap();
    let job = fixture.catalog.read(async |r| job::find(r, id).await).await.unwrap().unwrap();
    assert_eq!((job.state, job.progress.as_deref()), (State::Done, Some(r#"{"blobs":1}"#)));
    assert!(enqueue(&fixture, Some("gc")).await.is_some());
}
