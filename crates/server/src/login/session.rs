//! The first page: who you are, or how to log in.

use std::fmt::{Display, Write as _};

use berth_access::Caller;
use berth_federation::Attempt;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;

use super::form::{TOKEN, token};
use super::html::{escaped, see_other};
use super::{PREFIX, Visit, cookie, passwords};
use crate::body::Body;

/// A login must be done within this time.
pub(super) const ATTEMPT_SECONDS: u64 = 600;
/// Longer than any session: its row says when it ends.
const SESSION_SECONDS: u64 = 30 * 86_400;

/// Somebody who is logged in.
pub(super) struct Here<'a> {
    pub(super) caller: Caller,
    /// The secret in the cookie.
    pub(super) secret: &'a str,
}

/// Finds out who is logged in. `Err` if that can't be told now.
pub(super) async fn find<'a>(visit: &'a Visit<'_>) -> Result<Option<Here<'a>>, ()> {
    let Some(secret) = cookie::find(&visit.head.headers, cookie::SESSION) else { return Ok(None) };
    match visit.app.access.resume_session(secret).await {
        Ok(found) => {
            Ok(found.map(|caller| Here { caller: caller.from(std::sync::Arc::clone(&visit.origin)), secret }))
        }
        Err(error) => {
            tracing::warn!(%error, "a browser session can't be looked up");
            Err(())
        }
    }
}

/// `GET /login`.
pub(super) async fn show(visit: &Visit<'_>) -> (Response<Body>, Option<Caller>) {
    match find(visit).await {
        Ok(Some(here)) => {
            let page = passwords::overview(visit, &here, None).await;
            (page, Some(here.caller))
        }
        Ok(None) => (entrance(visit, StatusCode::OK, None), None),
        Err(()) => (entrance(visit, StatusCode::SERVICE_UNAVAILABLE, Some(visit.words.busy)), None),
    }
}

/// The page to log in on.
pub(super) fn entrance(visit: &Visit<'_>, status: StatusCode, problem: Option<&str>) -> Response<Body> {
    let words = visit.words;
    let known = cookie::find(&visit.head.headers, cookie::ATTEMPT).and_then(Attempt::parse);
    let Ok(attempt) = known.map_or_else(|| Attempt::new(PREFIX), Ok) else {
        return visit.page(StatusCode::SERVICE_UNAVAILABLE, Some(words.busy), "");
    };
    let mut content = String::new();
    for service in &visit.app.login_services {
        let (name, label) = (service.name(), escaped(service.label()));
        // Writing to a text can't fail.
        let _ = writeln!(
            content,
            "<p><a class=\"button\" href=\"{PREFIX}/oidc/{name}\">{} {label}</a></p>",
            words.log_in_at
        );
    }
    let _ = write!(
        content,
        "<form method=\"post\" action=\"{PREFIX}\">\n\
         <input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">\n\
         <label>{}<input name=\"name\" autocomplete=\"username\" required maxlength=\"128\"></label>\n\
         <label>{}<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\n\
         <label>{}<input name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"16\"></label>\n\
         <button>{}</button>\n</form>\n<p><a href=\"{PREFIX}/password\">{}</a></p>\n",
        token(&attempt.cookie()),
        words.name,
        words.password,
        words.code,
        words.log_in,
        words.change
    );
    let mut response = visit.page(status, problem, &content);
    cookie::set(&mut response, cookie::ATTEMPT, &attempt.cookie(), ATTEMPT_SECONDS);
    response
}

/// Lets somebody in who has proved who it is, and goes on to `next`. A session that the browser brought is not taken over: it may be
/// somebody else's.
pub(super) async fn begin(visit: &Visit<'_>, caller: Caller, next: &str) -> (Response<Body>, Option<Caller>) {
    let caller = caller.from(std::sync::Arc::clone(&visit.origin));
    match visit.app.access.begin_session(&caller).await {
        Ok(secret) => {
            let mut response = see_other(next);
            cookie::set(&mut response, cookie::SESSION, secret.reveal(), SESSION_SECONDS);
            cookie::set(&mut response, cookie::ATTEMPT, "", 0);
            (response, Some(caller))
        }
        Err(error) => {
            tracing::warn!(%error, "a browser session can't begin");
            (entrance(visit, StatusCode::SERVICE_UNAVAILABLE, Some(visit.words.busy)), None)
        }
    }
}

/// `POST /login/out`.
pub(super) async fn leave<B>(visit: &Visit<'_>, body: B) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let Some(secret) = cookie::find(&visit.head.headers, cookie::SESSION) else {
        return (see_other(PREFIX), None);
    };
    if visit.form(body, secret).await.is_none() {
        return (entrance(visit, StatusCode::FORBIDDEN, Some(visit.words.again)), None);
    }
    if let Err(error) = visit.app.access.end_session(secret).await {
        tracing::warn!(%error, "a browser session can't be ended");
        return (entrance(visit, StatusCode::SERVICE_UNAVAILABLE, Some(visit.words.busy)), None);
    }
    let mut response = see_other(PREFIX);
    cookie::set(&mut response, cookie::SESSION, "", 0);
    (response, None)
}
