//! Logging in with name and password.

use std::fmt::Display;

use berth_access::{Caller, Unauthenticated};
use berth_federation::Attempt;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;

use super::{Visit, cookie, refused, renew, session};
use crate::body::Body;
use crate::context::Verdict;

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
    let tried = format!("{password}\0{}", code.unwrap_or_default());
    let Ok(paid) = visit.app.limits.login(visit.origin.client, name, &tried) else {
        let page = session::entrance(visit, StatusCode::TOO_MANY_REQUESTS, Some(words.busy));
        return (refused(page, Some(Verdict::too_many_logins())), None);
    };
    match visit.app.access.log_in(name, password, code).await {
        Ok(caller) => {
            paid.succeeded();
            session::begin(visit, caller, attempt.next()).await
        }
        Err(error @ Unauthenticated::PasswordChangeNeeded { .. }) => {
            // The password was right.
            paid.undecided();
            let page = renew::show(visit, name, (StatusCode::FORBIDDEN, Some(words.must_change)));
            (refused(page, Verdict::not_proved(&error)), None)
        }
        Err(error) => {
            if error.is_busy() {
                paid.undecided();
            }
            let (status, problem) = match &error {
                error if error.is_busy() => (StatusCode::SERVICE_UNAVAILABLE, words.busy),
                // Which of them is wrong is nobody's business.
                _ => (StatusCode::UNAUTHORIZED, words.wrong),
            };
            let page = session::entrance(visit, status, Some(problem));
            (refused(page, Verdict::not_proved(&error)), None)
        }
    }
}
