//! The management API: `/api/v1`.
//!
//! Every call goes the same way, in [`handle`]: a place among those at work, who calls, whether a page of somebody else's made it call,
//! how often, a bounded body; then one handler, which makes one call to the domain ([`Management`](berth_access::Management)) and shapes
//! its answer. Whether the caller may is decided there, and errors become answers in [`problem`].

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post, put};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use self::problem::{Cause, Problem};
use crate::app::App;
use crate::body::Body;
use crate::context::{Endpoint, RequestContext, Verdict};
use crate::inbound::in_time;
use crate::overload::Class;
use crate::{limit, person};

mod application;
mod binding;
mod csrf;
mod factor;
mod input;
mod me;
mod page;
mod password;
mod problem;
mod project;
mod robot;
mod robot_secret;
mod role;
mod token;
mod user;

/// Largest body of a call. A role with hundreds of policies is a tenth of it.
const MOST_BYTES: usize = 256 * 1024;

/// Whether a request is a call of the management API.
pub(crate) fn is_call(uri: &Uri) -> bool {
    uri.path().strip_prefix("/api/v1").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The table of calls.
pub(crate) fn router(app: &Arc<App>) -> axum::Router {
    axum::Router::new()
        .route("/api/v1/me", get(me::me))
        .route("/api/v1/me/application-passwords", get(application::own).post(application::create))
        .route("/api/v1/me/application-passwords/{id}", delete(application::revoke_own))
        .route("/api/v1/me/tokens", post(token::create))
        .route("/api/v1/me/second-factor", post(factor::begin).put(factor::confirm).delete(factor::remove))
        .route("/api/v1/password", put(password::change))
        .route("/api/v1/access/explain", get(me::explain))
        .route("/api/v1/projects", get(project::list).post(project::create))
        .route("/api/v1/projects/{project}", get(project::get).patch(project::change).delete(project::delete))
        .route("/api/v1/projects/{project}/members", get(binding::members).post(binding::add_member))
        .route("/api/v1/projects/{project}/members/{id}", get(binding::member).delete(binding::remove_member))
        .route("/api/v1/projects/{project}/robots", get(robot::list).post(robot::create))
        .route(
            "/api/v1/projects/{project}/robots/{robot}",
            get(robot::get).patch(robot::change).delete(robot::delete),
        )
        .route(
            "/api/v1/projects/{project}/robots/{robot}/secrets",
            get(robot_secret::list).post(robot_secret::rotate),
        )
        .route("/api/v1/projects/{project}/robots/{robot}/secrets/{secret}", delete(robot_secret::end))
        .route("/api/v1/robots/{robot}/secrets/{secret}", delete(robot_secret::end))
        .route("/api/v1/roles", get(role::list).post(role::create))
        .route("/api/v1/roles/{role}", get(role::get).put(role::replace).delete(role::delete))
        .route("/api/v1/bindings", get(binding::list).post(binding::create))
        .route("/api/v1/bindings/{id}", get(binding::get).delete(binding::delete))
        .route("/api/v1/robots", get(robot::list).post(robot::create))
        .route("/api/v1/robots/{robot}", get(robot::get).patch(robot::change).delete(robot::delete))
        .route("/api/v1/robots/{robot}/secrets", get(robot_secret::list).post(robot_secret::rotate))
        .route("/api/v1/users", get(user::list).post(user::create))
        .route("/api/v1/users/{user}", get(user::get).patch(user::change).delete(user::delete))
        .route("/api/v1/users/{user}/password", put(user::reset_password))
        .route("/api/v1/users/{user}/second-factor", delete(user::remove_factor))
        .route("/api/v1/users/{user}/lock", delete(user::unlock))
        .route("/api/v1/users/{user}/sessions", delete(user::log_out))
        .route("/api/v1/users/{user}/application-passwords", get(application::of))
        .route("/api/v1/users/{user}/application-passwords/{id}", delete(application::revoke))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .with_state(Arc::clone(app))
}

/// Answers a request whose path is `/api/v1` or below.
pub(crate) async fn handle<B>(
    app: &App,
    calls: &axum::Router,
    cx: &mut RequestContext,
    request: Request<B>,
) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    cx.endpoint = Endpoint::Api;
    let response = match admitted(app, cx, request).await {
        Ok(request) => {
            let Ok::<_, Infallible>(response) = tower::ServiceExt::oneshot(calls.clone(), request).await;
            response
        }
        Err(problem) => problem.into_response(),
    };
    let (mut head, body) = response.into_parts();
    if let Some(prefix) = &cx.forwarded.prefix {
        input::put_back(prefix, &mut head.headers);
    }
    if let Some(Cause(cause)) = head.extensions.remove() {
        cx.error = Some(cause);
    }
    if let Some(verdict) = head.extensions.remove::<Verdict>() {
        cx.verdict = Some(verdict);
    }
    let Ok(body) = body.collect().await else {
        cx.error = Some("an answer could not be put together".to_owned());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    Response::from_parts(head, Body::full(body.to_bytes()))
}

/// Lets a call in; the handler finds its caller among the extensions.
async fn admitted<B>(
    app: &App,
    cx: &mut RequestContext,
    request: Request<B>,
) -> Result<Request<axum::body::Body>, Problem>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    if app.refuses_unrecorded() {
        return Err(Problem::unrecorded());
    }
    cx.slot = Some(app.overload.enter(Class::Push, cx.client).await?);
    let (mut head, body) = request.into_parts();
    let (caller, by_session) = person::identify(app, cx, &head.headers).await?;
    let caller = caller.from(Arc::new(cx.origin()));
    cx.caller = Some(caller.clone());
    csrf::check(&head.method, &head.uri, &head.headers, &cx.forwarded, by_session)?;
    if let Some(pause) = app.limits.check(limit::Class::Api, cx.client, &caller)? {
        cx.slot = None;
        pause.wait().await;
        cx.slot = Some(app.overload.enter(Class::Push, cx.client).await?);
    }
    let body = body.map_err(|error| std::io::Error::other(error.to_string()));
    let body = in_time(&app.config.limits, Limited::new(body, MOST_BYTES).collect()).await?;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Problem::too_large(MOST_BYTES)
        } else {
            Problem::invalid("the body broke off: send it again")
        }
    })?;
    // It may have taken a while, in which whoever sends it was stopped.
    app.access.still_stands(&caller)?;
    head.extensions.insert(caller);
    Ok(Request::from_parts(head, axum::body::Body::from(body.to_bytes())))
}

#[cfg(test)]
mod tests;
