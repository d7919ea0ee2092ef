//! Rate limits of several clients, of several nodes, and behind proxies.

use reqwest::StatusCode;

use crate::rates::{start_upload, strict};
use crate::support::{TestServer, config};

#[tokio::test]
async fn two_nodes_allow_what_is_configured_for_both() {
    let mut config = strict();
    (config.rate_limits.nodes, config.rate_limits.push.rate) = (2, "1/m".parse().unwrap());
    let nodes = [TestServer::start(config.clone()), TestServer::start(config)];
    let mut begun = [0; 2];
    for n in 0..40 {
        begun[n % 2] += usize::from(start_upload(&nodes[n % 2]).await.status() == StatusCode::ACCEPTED);
    }
    assert_eq!(begun, [5, 5], "half of the burst of ten on each");
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts() {
    let mut config = strict();
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    config.rate_limits.push.rate = "1/m".parse().unwrap();
    let server = TestServer::start(config);
    let count = async |client: &str| {
        let mut begun = 0;
        for _ in 0..15 {
            let request = reqwest::Client::new().post(server.url("/v2/a/blobs/uploads/"));
            let response = request.header("x-forwarded-for", client).send().await.unwrap();
            begun += u32::from(response.status() == StatusCode::ACCEPTED);
        }
        begun
    };
    assert_eq!(count("192.0.2.1").await, 10);
    assert_eq!(count("192.0.2.2").await, 10);
    assert_eq!(count("192.0.2.1").await, 0);
}

#[tokio::test]
async fn who_waits_takes_no_place_from_others() {
    let mut config = config();
    config.rate_limits.exempt.clear();
    (config.limits.requests, config.limits.overload.queue) = (2, 0);
    (config.limits.overload.client_percent, config.limits.overload.push_percent) = (100, 100);
    config.rate_limits.push.burst = 1;
    let server = TestServer::start(config);
    assert_eq!(start_upload(&server).await.status(), StatusCode::ACCEPTED);
    let held = futures_util::future::join_all((0..10).map(|_| start_upload(&server)));
    let others = async {
        while server.metric("berth_rate_limit_held").await < 5.0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let response = reqwest::get(server.url("/v2/a/manifests/none")).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
        }
    };
    let (_, ()) = tokio::join!(held, others);
}
