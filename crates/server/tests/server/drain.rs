//! What a shutdown does not wait for, and whom it tells before.

use std::time::{Duration, Instant};

use crate::support::{TestServer, config};

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let mut server = TestServer::start(config());
    let fresh = server.connect().await;
    let mut used = server.connect().await;
    used.get("/healthz").await;
    let two = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    two.get(server.url("/healthz")).send().await.unwrap();

    let began = Instant::now();
    server.begin_stop();
    server.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((fresh, used));
}

#[tokio::test]
async fn load_balancers_are_told_before_it_begins() {
    let mut server = TestServer::start(berth_server::Config { shutdown_delay_seconds: 3, ..config() });
    assert_eq!(reqwest::get(server.url("/readyz")).await.unwrap().status(), 200);
    server.begin_stop();
    tokio::time::timeout(Duration::from_millis(2_900), async {
        while reqwest::get(server.url("/readyz")).await.unwrap().status() != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the shutdown is announced");
    assert_eq!(reqwest::get(server.url("/v2/")).await.unwrap().status(), 200);
    server.stopped().await;
}
