//! Guesses: each costs as much as any other, and tells as little.

use super::*;

/// A server whose limits hold for loopback too.
async fn limited(burst: u32) -> Server {
    let mut server = Server::start().await;
    let mut config = Config::default();
    config.rate_limits.exempt.clear();
    config.rate_limits.login.burst = burst;
    config.rate_limits.login.rate = "1/h".parse().unwrap();
    let (access, registry) = (server.app.access.clone(), server.app.registry.clone());
    server.app = Arc::new(App::new(config, access, registry, Clock::system()));
    server.calls = router(&server.app);
    server
}

#[tokio::test]
async fn codes_tried_at_the_same_time_are_as_many_guesses() {
    let server = limited(3).await;
    let guess = |code: u32| {
        let body =
            json!({ "name": "gus", "old": "Wrong-12345", "new": "Better-12345", "code": code.to_string() });
        server.ask("anonymous", "PUT", "/password", Some(body))
    };
    let replies = futures_util::future::join_all((100_000..100_008).map(guess)).await;
    let looked_at = replies.iter().filter(|reply| reply.status == 401).count();
    assert_eq!(looked_at, 3, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
}
