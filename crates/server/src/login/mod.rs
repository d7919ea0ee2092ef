//! Logging in with a browser: at another service or with a password, and making passwords for clients afterwards.
//!
//! Pages are rendered here, without a script. What a browser holds is a cookie with a random secret; every form holds a hash of it, so
//! that no other site can send one.

use std::fmt::Display;
use std::sync::Arc;

use berth_access::{Caller, Origin};
use berth_federation::LoginService;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;

use self::form::Form;
use self::words::Words;
use crate::address;
use crate::app::App;
use crate::body::Body;
use crate::context::{RequestContext, Verdict};
use crate::inbound::in_time;
use crate::overload::Class;
use crate::proxy::Forwarded;

mod cookie;
mod enter;
mod form;
mod html;
mod oidc;
mod passwords;
mod renew;
mod session;
mod words;

/// Everything here.
pub(crate) const PREFIX: &str = "/login";
/// How the pages look: nothing that would be recorded.
const STYLE: &str = "/login/style.css";

/// What every page needs.
struct Visit<'a> {
    app: &'a Arc<App>,
    head: Parts,
    words: &'static Words,
    origin: Arc<Origin>,
    forwarded: &'a Forwarded,
}

impl Visit<'_> {
    /// Answers with a page.
    fn page(&self, status: StatusCode, problem: Option<&str>, content: &str) -> Response<Body> {
        html::page(self.words, status, problem, content)
    }

    /// Finds the login service of a name.
    fn service(&self, name: &str) -> Option<&LoginService> {
        self.app.login_services.iter().find(|service| service.name() == name)
    }

    /// Reads a form that one of our pages showed to the holder of `secret`; `None` if it is another.
    async fn form<B>(&self, body: B, secret: &str) -> Option<Form>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        if address::is_cross_site(&self.head.uri, &self.head.headers, self.forwarded) {
            return None;
        }
        let form = in_time(&self.app.config.limits, Form::read(body)).await.ok()?;
        form.filter(|form| form.is_of(secret))
    }
}

/// Finds the secret of the session that a browser is in, as it sends it along with every request.
pub(crate) fn session_secret(headers: &http::HeaderMap) -> Option<&str> {
    cookie::find(headers, cookie::SESSION)
}

/// Tells whether a path is one of these.
pub(crate) fn is_login(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request for a page.
pub(crate) async fn handle<B>(app: &Arc<App>, cx: &mut RequestContext, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let (head, body) = request.into_parts();
    let origin = Arc::new(cx.origin());
    let forwarded = cx.forwarded.clone();
    let words = words::of(&head.headers);
    let visit = Visit { app, head, words, origin, forwarded: &forwarded };
    let is_head = visit.head.method == Method::HEAD;
    if app.refuses_unrecorded() && cx.uri.path() != STYLE {
        return visit.page(StatusCode::SERVICE_UNAVAILABLE, Some(words.unrecorded), "");
    }
    let Ok(slot) = app.overload.enter(Class::Pull, cx.client).await else {
        return visit.page(StatusCode::SERVICE_UNAVAILABLE, Some(words.busy), "");
    };
    cx.slot = Some(slot);
    let (mut response, caller) = route(&visit, body).await;
    cx.caller = caller;
    cx.verdict = response.extensions_mut().remove::<Verdict>();
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// The table of the pages.
async fn route<B>(visit: &Visit<'_>, body: B) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let path = visit.head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    match (visit.head.method.as_str(), &steps[..]) {
        ("GET" | "HEAD", ["style.css"]) => (html::style(), None),
        ("GET" | "HEAD", []) => session::show(visit).await,
        ("POST", []) => enter::enter(visit, body).await,
        ("POST", ["out"]) => session::leave(visit, body).await,
        ("GET" | "HEAD", ["password"]) => (renew::show(visit, "", (StatusCode::OK, None)), None),
        ("POST", ["password"]) => renew::change(visit, body).await,
        ("POST", ["passwords"]) => passwords::make(visit, body).await,
        ("POST", ["passwords", id]) => passwords::end(visit, body, id).await,
        ("GET", ["oidc", name]) => (oidc::begin(visit, name).await, None),
        ("GET", ["oidc", name, "callback"]) => oidc::finish(visit, name).await,
        (_, [] | ["out" | "password" | "passwords" | "oidc", ..]) => {
            (refuse(visit, StatusCode::METHOD_NOT_ALLOWED), None)
        }
        _ => (refuse(visit, StatusCode::NOT_FOUND), None),
    }
}

/// Leaves in an answer why somebody was not let in, for the audit trail.
fn refused(mut response: Response<Body>, verdict: Option<Verdict>) -> Response<Body> {
    if let Some(verdict) = verdict {
        response.extensions_mut().insert(verdict);
    }
    response
}

fn refuse(visit: &Visit<'_>, status: StatusCode) -> Response<Body> {
    let mut response = visit.page(status, None, &back(visit.words));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    response
}

/// A link to the first page.
fn back(words: &Words) -> String {
    format!("<p><a class=\"button\" href=\"{PREFIX}\">{}</a></p>\n", words.back)
}
