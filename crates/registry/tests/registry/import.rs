//! Import from another registry; real ones are in `tests/suite`.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::job::State;
use berth_jobs::Runner;
use berth_registry::{PullJob, PullOrder};

use crate::fixture::{Fixture, On};

async fn a_registry_that_does_not_answer_holds_up_no_shutdown(on: On) {
    let fixture = Fixture::new(on).await;
    // The kernel takes connections, and nobody ever reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = format!("http://{}", silent.local_addr().unwrap());
    fixture.registry.start_pull(&PullOrder { registry, ..PullOrder::default() }).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = Runner::new(fixture.registry.catalog().clone())
        .handle(PullJob::KIND, Arc::new(PullJob::new(fixture.registry.clone())));
    let running = tokio::spawn(runner.run(stopped));
    let asked = tokio::task::spawn_blocking(move || silent.accept().map(|(stream, _)| (silent, stream)));
    let asked = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it is asked").unwrap();
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("it stops").unwrap();
    let left = fixture.registry.last_pull().await.unwrap().unwrap();
    assert_eq!(left.state, State::Queued, "it goes on after the start");
    drop(asked);
}

on_both! {
    a_registry_that_does_not_answer_holds_up_no_shutdown,
}
