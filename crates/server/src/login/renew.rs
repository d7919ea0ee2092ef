//! Changing one's password, also the first one, which has to be changed: the old one proves who it is.

use std::fmt::Display;

use berth_access::{AccountError, Caller, ManageError, PasswordChange, Unauthenticated};
use berth_federation::Attempt;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;

use super::form::{Form, TOKEN, token};
use super::html::escaped;
use super::words::Words;
use super::{PREFIX, Visit, back, cookie, refused, session};
use crate::body::Body;
use crate::context::Verdict;
use crate::limit::Attempt as Paid;

/// `GET /login/password`: the form, also for who comes from a login that was refused for want of this.
pub(super) fn show(
    visit: &Visit<'_>,
    name: &str,
    (status, problem): (StatusCode, Option<&str>),
) -> Response<Body> {
    let words = visit.words;
    let known = cookie::find(&visit.head.headers, cookie::ATTEMPT).and_then(Attempt::parse);
    let Ok(attempt) = known.map_or_else(|| Attempt::new(PREFIX), Ok) else {
        return visit.page(StatusCode::SERVICE_UNAVAILABLE, Some(words.busy), "");
    };
    let password = |name: &str, label: &str, complete: &str| {
        format!(
            "<label>{label}<input name=\"{name}\" type=\"password\" autocomplete=\"{complete}\" required></label>\n"
        )
    };
    let content = format!(
        "<h2>{}</h2>\n<form method=\"post\" action=\"{PREFIX}/password\">\n\
         <input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">\n\
         <label>{}<input name=\"name\" autocomplete=\"username\" required maxlength=\"128\" value=\"{}\"></label>\n\
         {}{}{}\
         <label>{}<input name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"16\"></label>\n\
         <button>{}</button>\n</form>\n{}",
        words.change,
        token(&attempt.cookie()),
        words.name,
        escaped(name),
        password("old", words.old, "current-password"),
        password("new", words.new, "new-password"),
        password("again", words.new_again, "new-password"),
        words.code,
        words.change,
        back(words),
    );
    let mut response = visit.page(status, problem, &content);
    cookie::set(&mut response, cookie::ATTEMPT, &attempt.cookie(), session::ATTEMPT_SECONDS);
    response
}

/// `POST /login/password`.
pub(super) async fn change<B>(visit: &Visit<'_>, body: B) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let words = visit.words;
    let secret = cookie::find(&visit.head.headers, cookie::ATTEMPT).unwrap_or_default();
    let Some(form) = visit.form(body, secret).await.filter(|_| Attempt::parse(secret).is_some()) else {
        return (show(visit, "", (StatusCode::FORBIDDEN, Some(words.again))), None);
    };
    let name = form.get("name").unwrap_or_default();
    if form.get("new") != form.get("again") {
        return (show(visit, name, (StatusCode::BAD_REQUEST, Some(words.not_twice))), None);
    }
    match changed(visit, &form, name).await {
        Ok(()) => {
            let content = format!("<p role=\"status\">{}</p>\n{}", words.changed, back(words));
            (visit.page(StatusCode::OK, None, &content), None)
        }
        Err((status, problem, verdict)) => {
            (refused(show(visit, name, (status, Some(&problem))), verdict), None)
        }
    }
}

type Failed = (StatusCode, String, Option<Verdict>);

async fn changed(visit: &Visit<'_>, form: &Form, name: &str) -> Result<(), Failed> {
    let (app, words) = (visit.app, visit.words);
    let field = |name| form.get(name).unwrap_or_default();
    let code = Some(field("code").trim()).filter(|code| !code.is_empty());
    let (old, new) = (field("old"), field("new"));
    let tried = format!("{old}\0{}", code.unwrap_or_default());
    let Ok(paid) = app.limits.login(visit.origin.client, name, &tried) else {
        let verdict = Some(Verdict::too_many_logins());
        return Err((StatusCode::TOO_MANY_REQUESTS, words.busy.to_owned(), verdict));
    };
    let caller = Caller::anonymous().from(std::sync::Arc::clone(&visit.origin));
    let outcome = match app.manage() {
        Ok(manage) => manage.change_own_password(&caller, PasswordChange { name, old, new, code }).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => {
            paid.succeeded();
            Ok(())
        }
        Err(ManageError::Account(AccountError::Unproved(error))) => Err(unproved(&error, paid, words)),
        // The old one was right, so this is no guess.
        Err(error) => {
            paid.undecided();
            Err((StatusCode::BAD_REQUEST, error.to_string(), None))
        }
    }
}

fn unproved(error: &Unauthenticated, paid: Paid<'_>, words: &Words) -> Failed {
    if error.is_busy() {
        paid.undecided();
        return (StatusCode::SERVICE_UNAVAILABLE, words.busy.to_owned(), None);
    }
    // Which of them is wrong is nobody's business.
    (StatusCode::UNAUTHORIZED, words.wrong.to_owned(), Verdict::not_proved(error))
}
