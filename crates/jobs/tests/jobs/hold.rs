//! A runner that has to rest.

use std::time::Duration;

use berth_catalog::job::State;
use tokio::sync::watch;

use crate::Step::{Done, Stay};
use crate::{Deed, Fixture, On, Running, on_both};

async fn on_hold_nothing_begins_and_what_works_goes_back_to_the_queue(on: On) {
    let fixture = Fixture::new(on).await;
    let deed = Deed::new(&[Stay, Done]);
    let (hold, on_hold) = watch::channel(false);
    let running = Running::start(fixture.runner("work", &deed).hold_while(on_hold));
    let id = fixture.enqueue("work").await;
    fixture.wait_for_state(id, State::Running).await;

    hold.send_replace(true);
    deed.wait_for_a_stop().await;
    let job = fixture.wait_for_state(id, State::Queued).await;
    assert_eq!(job.attempts, 0, "the try does not count");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(deed.tries().len(), 1, "it was tried again while on hold");

    hold.send_replace(false);
    assert_eq!(fixture.wait_for_state(id, State::Done).await.attempts, 1);
    running.stop().await;
}

on_both!(on_hold_nothing_begins_and_what_works_goes_back_to_the_queue);
