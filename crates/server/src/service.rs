//! One request to one response: where it came from, the handler, and a net under the handler.

use std::convert::Infallible;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use berth_oci::RepositoryName;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::app::App;
use crate::body::Body;
use crate::context::{Endpoint, RequestContext};
use crate::exchange::Exchange;
use crate::inbound::Inbound;
use crate::listen::Connection;
use crate::proxy::TrustedProxies;
use crate::request_id::RequestId;
use crate::router::Router;

/// Sent when a handler panicked. The cause is in the log only.
const BROKEN: &str = r#"{"errors":[{"code":"UNKNOWN","message":"the registry failed; its log says why under the id in X-Request-Id"}]}"#;

/// Answers requests.
pub(crate) struct Service {
    app: Arc<App>,
    router: Router,
    proxies: TrustedProxies,
    body_patience: Duration,
}

impl Service {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self {
            router: Router::new(&app),
            proxies: TrustedProxies::new(&app.config),
            body_patience: Duration::from_secs(app.config.limits.body_idle_seconds),
            app,
        }
    }

    /// Answers one request that came in on `connection`.
    pub(crate) async fn answer<B>(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<B>,
    ) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        let context = self.context(&connection, &request);
        let (head, body) = request.into_parts();
        let (body, received) = Inbound::new(body, self.body_patience);
        let mut exchange = Exchange::begin(Arc::clone(&self.app), connection, context, received);
        let context = &mut exchange.context;
        // Off unless traces are collected or somebody debugs: then one span per request.
        let span = tracing::debug_span!(
            "request",
            request_id = context.request_id.as_str(),
            method = context.method.as_str(),
            path = context.uri.path(),
            traceparent = head.headers.get("traceparent").and_then(|value| value.to_str().ok()),
            endpoint = Empty,
            repository = Empty,
            status = Empty,
        );
        let handler = self.router.route(&self.app, context, Request::from_parts(head, body));
        let handler = handler.instrument(span.clone());
        // The context holds what the handler had found out when it panicked: no invariant spans its fields.
        let response = match AssertUnwindSafe(handler).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => self.broken(&mut exchange.context, panic.as_ref()),
        };
        if span.is_disabled() {
            return Ok(exchange.respond(response));
        }
        span.record("endpoint", exchange.context.endpoint.as_str());
        span.record("repository", exchange.context.repository.as_ref().map(RepositoryName::as_str));
        span.record("status", response.status().as_u16());
        // The span lasts as long as the response's body.
        Ok(exchange.respond(response).map(|body| body.on_end(move |_| drop(span))))
    }

    fn context<B>(&self, connection: &Connection, request: &Request<B>) -> RequestContext {
        let origin = self.proxies.origin(connection.peer.ip(), request.headers());
        RequestContext {
            request_id: origin.request_id.unwrap_or_else(RequestId::generate),
            client: origin.client,
            http_version: request.version(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            forwarded: origin.forwarded,
            certificate: connection.certificate.get().cloned(),
            endpoint: Endpoint::Unknown,
            caller: None,
            repository: None,
            reference: None,
            slot: None,
            error: None,
            verdict: None,
            digest: None,
        }
    }

    /// Answers for a handler that panicked.
    fn broken(&self, context: &mut RequestContext, panic: &(dyn std::any::Any + Send)) -> Response<Body> {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("of unknown kind");
        self.app.metrics.http.panics.fetch_add(1, Ordering::Relaxed);
        context.error = Some(format!("handler panicked: {message}"));
        json(StatusCode::INTERNAL_SERVER_ERROR, BROKEN)
    }
}

fn json(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
