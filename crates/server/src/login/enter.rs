//! Logging in with name and password.

use std::fmt::Display;

use berth_access::{Caller, Unauthenticated};
use berth_federation::Attempt;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;

use super::{Visit, cookie, session};
use crate::body::Body;

/// `POST /login`.
pub(super) async fn enter<B>(visit: &Visit<'_>, body: B) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let words = visit.words;
    let secret = cookie::find(&visit.head.headers, cookie::ATTEMPT);
    let attempt = secret.and_then(|secret| Some((secret, Attempt::parse(secret)?)));
    let Some((secret, attempt)) = attempt else {
        return (session::entrance(visit, StatusCode::FORBIDDEN, Some(words.again)), None);
    };
    let Some(form) = visit.form(body, secret).await else {
        return (session::entrance(visit, StatusCode::FORBIDDEN, Some(words.again)), None);
    };
    let field = |name| form.get(name).unwrap_or_default();
    let code = Some(field("code").trim()).filter(|code| !code.is_empty());
    let (name, password) = (field("name"), field("password"));
    let Ok(paid) = visit.app.limits.login(visit.origin.client, name, password) else {
        return (session::entrance(visit, StatusCode::TOO_MANY_REQUESTS, Some(words.busy)), None);
    };
    match visit.app.access.log_in(name, password, code).await {
        Ok(caller) => {
            paid.succeeded();
            session::begin(visit, caller, attempt.next()).await
        }
        Err(error) => {
            if error.is_busy() {
                paid.undecided();
            }
            let (status, problem) = match &error {
                error if error.is_busy() => (StatusCode::SERVICE_UNAVAILABLE, words.busy),
                Unauthenticated::PasswordChangeNeeded { .. } => (StatusCode::FORBIDDEN, words.must_change),
                // Which of them is wrong is nobody's business.
                _ => (StatusCode::UNAUTHORIZED, words.wrong),
            };
            (session::entrance(visit, status, Some(problem)), None)
        }
    }
}
