//! Logging in at another service.

use berth_access::Caller;
use berth_federation::{Answer, Attempt, LoginError};
use http::{Response, StatusCode};

use super::form::Form;
use super::html::see_other;
use super::{PREFIX, Visit, cookie, refuse, refused, session};
use crate::body::Body;
use crate::context::Verdict;

/// `GET /login/oidc/NAME`: sends the browser to the service.
pub(super) async fn begin(visit: &Visit<'_>, name: &str) -> Response<Body> {
    let Some(service) = visit.service(name) else { return refuse(visit, StatusCode::NOT_FOUND) };
    let query = Form::parse(visit.head.uri.query().unwrap_or_default());
    let Ok(attempt) = Attempt::new(query.get("next").unwrap_or(PREFIX)) else {
        return session::entrance(visit, StatusCode::SERVICE_UNAVAILABLE, Some(visit.words.busy));
    };
    match service.begin(&attempt).await {
        Ok(target) => {
            let mut response = see_other(target.as_str());
            cookie::set(&mut response, cookie::ATTEMPT, &attempt.cookie(), session::ATTEMPT_SECONDS);
            response
        }
        Err(error) => failed(visit, name, &error),
    }
}

/// `GET /login/oidc/NAME/callback`: the browser comes back.
pub(super) async fn finish(visit: &Visit<'_>, name: &str) -> (Response<Body>, Option<Caller>) {
    let Some(service) = visit.service(name) else { return (refuse(visit, StatusCode::NOT_FOUND), None) };
    let query = Form::parse(visit.head.uri.query().unwrap_or_default());
    let field = |name| query.get(name).map(str::to_owned);
    let answer = Answer {
        code: field("code"),
        state: field("state"),
        iss: field("iss"),
        error: field("error"),
        error_description: field("error_description"),
    };
    let attempt = cookie::find(&visit.head.headers, cookie::ATTEMPT).and_then(Attempt::parse);
    let Some(attempt) = attempt else { return (failed(visit, name, &LoginError::NotBegun), None) };
    let proven = match service.finish(&attempt, &answer, visit.app.clock.now()).await {
        Ok(proven) => proven,
        Err(error) => return (failed(visit, name, &error), None),
    };
    match visit.app.access.welcome(&proven).await {
        Ok(caller) => session::begin(visit, caller, attempt.next()).await,
        Err(error) => {
            tracing::warn!(service = name, user = proven.name, %error, "user of a login service is not let in");
            let status =
                if error.is_busy() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
            let page = session::entrance(visit, status, Some(&error.to_string()));
            (refused(page, Verdict::not_proved(&error)), None)
        }
    }
}

fn failed(visit: &Visit<'_>, name: &str, error: &LoginError) -> Response<Body> {
    let reason = error.reason();
    tracing::warn!(service = name, reason, "login at another service failed");
    let status = match error {
        LoginError::Unavailable(_) => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    };
    let problem =
        if *error == LoginError::NotBegun { visit.words.again.to_owned() } else { error.to_string() };
    let verdict = Verdict::NotProved { name: None, who: None, reason: format!("login_service_{reason}") };
    refused(session::entrance(visit, status, Some(&problem)), Some(verdict))
}
