//! What operators and their tools ask: is it alive, is it ready, what does it count.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::app::App;
use crate::metrics::CONTENT_TYPE as OPEN_METRICS;

/// `GET /healthz`: the process is alive and answers. A restart wouldn't help with anything that isn't asked here.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// How a node stands, as its balancer and its operator hear it.
#[derive(Serialize)]
struct Standing {
    status: &'static str,
    /// What can't be reached.
    out: Vec<&'static str>,
    read_only: bool,
}

/// `GET /readyz`: requests should be sent here. A service that is away for all nodes keeps none from it that can serve something
/// without. `?strict` asks whether nothing is missing.
pub(crate) async fn ready(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let is_strict =
        query.is_some_and(|query| query.split('&').any(|key| key == "strict" || key == "strict="));
    let health = app.registry.health().await;
    let parts = [("database", &health.database), ("storage", &health.storage)];
    let out: Vec<_> = parts.iter().filter(|(_, trouble)| trouble.is_some()).map(|(part, _)| *part).collect();
    let (is_ready, status) = match (app.is_closing(), health.is_ready, out.is_empty()) {
        (true, ..) => (false, "closing"),
        (_, false, _) => (false, "unready"),
        (_, _, false) => (!is_strict, "degraded"),
        _ => (true, "ready"),
    };
    if !health.is_ready {
        tracing::warn!(database = health.database, storage = health.storage, "not ready");
    }
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Standing { status, out, read_only: app.read_only().is_on() }))
}

/// `GET /metrics`: everything that is counted, as OpenMetrics text.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    match app.metrics.render().await {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics can't be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Everything else.
pub(crate) async fn unknown() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        "nothing here: the registry is at /v2/, its state at /healthz, /readyz and /metrics\n",
    )
}
