//! The table of routes.
//!
//! | path | answered by |
//! |---|---|
//! | `/v2`, `/v2/…` | [`v2::handle`], without a framework: names contain slashes, and pulls are many |
//! | `/api/v1/audit`, `/api/v1/audit/…` | [`audit::handle`]: the audit trail, as Elasticsearch |
//! | `/token`, `/service/token`, `/.well-known/jwks.json` | [`token::handle`]: tokens for credentials, and the keys they are signed with |
//! | `/api/v1/…` | [`api::handle`]: who may do what |
//! | `/login`, `/login/…` | [`login::handle`]: pages to log in on with a browser |
//! | `/healthz` | [`ops::health`]: the process is alive |
//! | `/readyz` | [`ops::ready`]: requests can be sent here |
//! | `/metrics` | [`ops::metrics`]: OpenMetrics text |

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::app::App;
use crate::body::Body;
use crate::context::{Endpoint, RequestContext};
use crate::{api, audit, login, ops, token, v2};

/// Finds the handler of a request.
pub(crate) struct Router {
    ops: axum::Router,
    api: axum::Router,
}

impl Router {
    pub(crate) fn new(app: &Arc<App>) -> Self {
        let ops = axum::Router::new()
            .route("/healthz", get(ops::health))
            .route("/readyz", get(ops::ready))
            .route("/metrics", get(ops::metrics))
            .fallback(ops::unknown)
            .with_state(Arc::clone(app));
        Self { ops, api: api::router(app) }
    }

    /// Whether a request is for the registry itself.
    pub(crate) fn is_registry(uri: &Uri) -> bool {
        uri.path().strip_prefix("/v2").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Lets the right handler answer.
    pub(crate) async fn route<B>(
        &self,
        app: &Arc<App>,
        context: &mut RequestContext,
        request: Request<B>,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        if Self::is_registry(request.uri()) {
            return v2::handle(app, context, request).await;
        }
        if audit::is_here(request.uri()) {
            return audit::handle(app, context, request).await;
        }
        if let Some(endpoint) = token::endpoint(request.uri().path()) {
            context.endpoint = endpoint;
            return token::handle(app, context, request).await;
        }
        if api::is_call(request.uri()) {
            return api::handle(app, &self.api, context, request).await;
        }
        if login::is_login(request.uri().path()) {
            context.endpoint = Endpoint::Login;
            return login::handle(app, context, request).await;
        }
        context.endpoint = match request.uri().path() {
            "/healthz" => Endpoint::Health,
            "/readyz" => Endpoint::Ready,
            "/metrics" => Endpoint::Metrics,
            _ => Endpoint::Unknown,
        };
        // None of these takes a body.
        let request = request.map(|_| axum::body::Body::empty());
        let Ok::<_, Infallible>(response) = self.ops.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(head, Body::full(body.to_bytes())),
            Err(error) => {
                context.error = Some(error.to_string());
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
