use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::{Method, StatusCode};

use super::*;
use crate::context::Endpoint;

fn finished(method: &Method, endpoint: Endpoint, status: u16, outcome: Outcome) -> Finished<'_> {
    Finished {
        endpoint,
        method,
        status: StatusCode::from_u16(status).ok(),
        outcome,
        until_head: Duration::from_micros(300),
        until_end: Duration::from_secs(2),
    }
}

/// The lines of a scrape that begin like this.
fn lines<'t>(text: &'t str, start: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[tokio::test]
async fn requests_are_counted_by_endpoint_method_and_status() {
    let metrics = Metrics::new();
    let get = Method::GET;
    metrics.http.finish(&finished(&get, Endpoint::Manifest, 200, Outcome::Success));
    metrics.http.finish(&finished(&get, Endpoint::Manifest, 206, Outcome::Success));
    metrics.http.finish(&finished(&get, Endpoint::Manifest, 404, Outcome::Refused));
    metrics.http.finish(&finished(&get, Endpoint::Blob, 200, Outcome::Aborted));
    metrics.http.finish(&finished(
        &Method::from_bytes(b"BREW").unwrap(),
        Endpoint::Unknown,
        405,
        Outcome::Refused,
    ));

    let text = metrics.render().await.unwrap();
    assert_eq!(
        lines(&text, "berth_http_requests_total"),
        [
            r#"berth_http_requests_total{endpoint="unknown",method="other",status="4xx"} 1"#,
            r#"berth_http_requests_total{endpoint="manifest",method="GET",status="2xx"} 2"#,
            r#"berth_http_requests_total{endpoint="manifest",method="GET",status="4xx"} 1"#,
            r#"berth_http_requests_total{endpoint="blob",method="GET",status="aborted"} 1"#,
        ]
    );
}

#[tokio::test]
async fn pulls_and_pushes_are_counted_by_outcome_and_timed() {
    let metrics = Metrics::new();
    metrics.http.finish(&finished(&Method::GET, Endpoint::Blob, 200, Outcome::Success));
    metrics.http.finish(&finished(&Method::GET, Endpoint::Blob, 200, Outcome::Failed));
    // Asking whether it is there pulls nothing.
    metrics.http.finish(&finished(&Method::HEAD, Endpoint::Blob, 200, Outcome::Success));
    metrics.http.finish(&finished(&Method::PATCH, Endpoint::Upload, 202, Outcome::Success));

    let text = metrics.render().await.unwrap();
    assert!(text.contains(r#"berth_pulls_total{endpoint="blob",outcome="success"} 1"#), "{text}");
    assert!(text.contains(r#"berth_pulls_total{endpoint="blob",outcome="failed"} 1"#), "{text}");
    assert!(text.contains(r#"berth_pushes_total{endpoint="upload",outcome="success"} 1"#), "{text}");
    let pulled = "berth_pull_latency_seconds_";
    assert!(text.contains(&format!(r#"{pulled}bucket{{le="0.00025",endpoint="blob"}} 0"#)), "{text}");
    assert!(text.contains(&format!(r#"{pulled}bucket{{le="0.0005",endpoint="blob"}} 1"#)), "{text}");
    assert!(text.contains(&format!(r#"{pulled}bucket{{le="+Inf",endpoint="blob"}} 1"#)), "{text}");
    assert!(text.contains(&format!(r#"{pulled}sum{{endpoint="blob"}} 0.0003"#)), "{text}");
    assert!(text.contains(r#"berth_push_latency_seconds_sum{endpoint="upload"} 2.0"#), "{text}");
}

#[tokio::test]
async fn samplers_are_asked_at_each_scrape() {
    let mut metrics = Metrics::new();
    metrics.sample(Box::new(|| {
        Box::pin(async {
            vec![
                Sample::gauge("store_bytes", "Bytes stored", 5e9),
                Sample {
                    points: vec![Point { labels: vec![("queue", "a\"b\nc".to_owned())], value: 3.0 }],
                    ..Sample::counter("jobs_done", "Jobs done", 0.0)
                },
            ]
        })
    }));
    let text = metrics.render().await.unwrap();
    assert_eq!(lines(&text, "berth_store_bytes"), ["berth_store_bytes 5000000000.0"]);
    assert_eq!(lines(&text, "berth_jobs_done"), [r#"berth_jobs_done_total{queue="a\"b\nc"} 3.0"#]);
}

#[tokio::test(start_paused = true)]
async fn a_sampler_that_hangs_is_left_out() {
    let mut metrics = Metrics::new();
    metrics.sample(Box::new(|| Box::pin(std::future::pending())));
    metrics.sample(Box::new(|| Box::pin(async { vec![Sample::gauge("awake", "Awake", 1.0)] })));
    let text = metrics.render().await.unwrap();
    assert_eq!(lines(&text, "berth_awake"), ["berth_awake 1.0"]);
}

#[tokio::test]
async fn the_text_is_well_formed() {
    let metrics = Metrics::new();
    metrics.http.in_flight.store(3, Ordering::Relaxed);
    let text = metrics.render().await.unwrap();
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(lines(&text, "berth_http_requests_in_flight"), ["berth_http_requests_in_flight 3"]);
    assert_eq!(
        lines(&text, "berth_build_info"),
        [format!("berth_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))]
    );
    // Every metric is described once.
    let mut names: Vec<&str> =
        lines(&text, "# TYPE ").iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
