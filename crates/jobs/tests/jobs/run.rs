//! Claims, leases, ends.

use std::time::Duration;

use berth_catalog::job::{self, State};
use berth_jobs::Runner;
use tokio::sync::watch;

use crate::Step::{Done, Panic, Permanent, Retry, Stay};
use crate::{Deed, Fixture, On, PATIENCE, Running, on_both, seconds};

async fn a_job_is_done_and_leaves_its_last_word(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Done]);
    let running = Running::start(fixture.runner("work", &deed));
    let id = fixture.enqueue("work").await;
    let job = fixture.wait_for_state(id, State::Done).await;
    assert_eq!((job.attempts, job.progress.as_deref()), (1, Some(r#"{"done":1}"#)));
    running.stop().await;
}

async fn a_retry_waits_twice_as_long_each_time_and_ends(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Retry]);
    let id = fixture.enqueue("work").await;
    let running = Running::start(fixture.runner("work", &deed));
    for attempt in 1..8 {
        let queued = |job: &job::Job| job.state == State::Queued && job.attempts == attempt;
        let job = fixture.wait_for(id, queued).await;
        let wait = seconds(1 << (attempt - 1));
        assert_eq!((job.run_at, job.error.as_deref()), (fixture.now() + wait, Some("not yet")));
        fixture.clock.advance(wait.unsigned_abs());
    }
    let job = fixture.wait_for_state(id, State::Failed).await;
    assert_eq!((job.attempts, job.error.as_deref()), (8, Some("not yet")));
    running.stop().await;
}

async fn a_panicking_handler_fails_its_try_and_not_the_runner(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Panic, Done]);
    let id = fixture.enqueue("work").await;
    let running = Running::start(fixture.runner("work", &deed));
    let job = fixture.wait_for_state(id, State::Queued).await;
    let job = if job.attempts == 0 { fixture.wait_for(id, |job| job.error.is_some()).await } else { job };
    assert!(job.error.unwrap().starts_with("handler panicked"));
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.wait_for_state(id, State::Done).await.attempts, 2);
    running.stop().await;
}

async fn some_failures_are_for_good(on: On) {
    let fixture = Fixture::new(on).await;
    let (hopeless, unknown) = (fixture.enqueue("work").await, fixture.enqueue("dance").await);
    let running = Running::start(fixture.runner("work", &Deed::new(&[Permanent])));
    assert_eq!(fixture.wait_for_state(hopeless, State::Failed).await.error.unwrap(), "never");
    let error = fixture.wait_for_state(unknown, State::Failed).await.error.unwrap();
    assert_eq!(error, "this binary knows no job kind dance");
    running.stop().await;
}

async fn a_stop_puts_the_job_back(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay]);
    let id = fixture.enqueue("work").await;
    let running = Running::start(fixture.runner("work", &deed));
    fixture.wait_for(id, |job| job.progress.is_some()).await;
    running.stop().await;
    let job = fixture.find(id).await.unwrap();
    assert_eq!((job.state, job.attempts, job.error), (State::Queued, 0, None), "the try does not count");
    assert_eq!(job.progress.as_deref(), Some(r#"{"stays":true}"#));
}

async fn a_stop_channel_that_closes_is_a_stop(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay]);
    let id = fixture.enqueue("work").await;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(fixture.runner("work", &deed).run(stopped));
    deed.wait_for_tries(1).await;
    drop(stop);
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    assert_eq!(fixture.find(id).await.unwrap().state, State::Queued);
}

async fn one_job_of_a_kind_runs_and_holds_up_no_other_kind(on: On) {
    let fixture = Fixture::new(on).await;
    let (long, short) = (Deed::new(&[Stay]), Deed::new(&[Done]));
    let first = fixture.enqueue("scrub").await;
    let second = fixture.enqueue("scrub").await;
    let runner = fixture.runner("scrub", &long).handle("collect", std::sync::Arc::new(short));
    let running = Running::start(runner);
    long.wait_for_tries(1).await;
    let collect = fixture.enqueue("collect").await;
    fixture.wait_for_state(collect, State::Done).await;
    assert_eq!(fixture.find(second).await.unwrap().state, State::Queued);
    running.stop().await;
    assert_eq!(long.tries(), [first]);
}

async fn a_lease_that_ended_meanwhile_is_renewed_not_claimed_again(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay]);
    let id = fixture.enqueue("work").await;
    let running = Running::start(fixture.runner("work", &deed));
    deed.wait_for_tries(1).await;
    for _ in 0..8 {
        // Suspended, or a clock that was set.
        fixture.clock.advance(Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(fixture.find(id).await.unwrap().attempts, 1);
    running.stop().await;
    assert_eq!(deed.tries(), [id]);
}

async fn who_lost_the_lease_stops_and_has_no_say(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay]);
    let id = fixture.enqueue("work").await;
    let running = Running::start(fixture.runner("work", &deed));
    deed.wait_for_tries(1).await;
    let now = fixture.now();
    // Somebody else claims it, in the same process or another.
    let taken = async move |tx: &mut berth_catalog::Tx| job::claim(tx, id, "other", now + seconds(30)).await;
    assert_eq!(fixture.catalog.write(taken).await.unwrap().unwrap().attempts, 2);
    // A heartbeat is refused.
    deed.wait_for_a_stop().await;
    running.stop().await;
    let job = fixture.find(id).await.unwrap();
    assert_eq!((job.state, job.attempts), (State::Running, 2), "the other claim's");
    assert_eq!(deed.tries(), [id]);
}

async fn a_command_works_its_own_job_only(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Panic, Retry, Done]);
    let overdue = fixture.enqueue_in("work", Some("work")).await;
    let other = fixture.enqueue("dance").await;
    fixture.clock.advance(Duration::from_hours(1));
    let wanted = fixture.enqueue("work").await;
    let runner = fixture.runner("work", &deed);
    let ending = tokio::spawn(async move { runner.run_until_ended(wanted).await });
    for attempt in 1..3 {
        deed.wait_for_tries(attempt).await;
        fixture.wait_for(wanted, |job| job.state == State::Queued && job.error.is_some()).await;
        fixture.clock.advance(Duration::from_secs(2));
    }
    let ended = tokio::time::timeout(PATIENCE, ending).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((ended.state, ended.attempts), (State::Done, 3));
    assert_eq!(deed.tries(), [wanted; 3]);
    for id in [overdue, other] {
        let job = fixture.find(id).await.unwrap();
        assert_eq!((job.state, job.attempts), (State::Queued, 0));
    }
    let gone = Runner::new(fixture.catalog.clone()).run_until_ended(job::JobId(99)).await.unwrap();
    assert!(gone.is_none());
}

on_both! {
    a_job_is_done_and_leaves_its_last_word,
    a_retry_waits_twice_as_long_each_time_and_ends,
    a_panicking_handler_fails_its_try_and_not_the_runner,
    some_failures_are_for_good,
    a_stop_puts_the_job_back,
    a_stop_channel_that_closes_is_a_stop,
    one_job_of_a_kind_runs_and_holds_up_no_other_kind,
    a_lease_that_ended_meanwhile_is_renewed_not_claimed_again,
    who_lost_the_lease_stops_and_has_no_say,
    a_command_works_its_own_job_only,
}
