//! What operators and their tools ask: is it alive, is it ready, what does it count.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use berth_registry::Readiness;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::app::App;
use crate::metrics::CONTENT_TYPE as OPEN_METRICS;

/// `GET /healthz`: the process is alive and answers. A restart wouldn't help with anything that isn't asked here.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the catalog answers, the disk can be read, and no shutdown has begun.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.is_closing() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match app.registry.check_ready().await {
        Ok(Readiness::Recalling) => {
            (StatusCode::OK, "ready, without the database: only what was pulled before\n")
        }
        Ok(Readiness::Whole) if app.read_only().is_on() => (StatusCode::OK, "ready, read-only\n"),
        Ok(Readiness::Whole) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the log says why\n")
        }
    }
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
