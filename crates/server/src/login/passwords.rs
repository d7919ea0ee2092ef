//! Passwords for clients: who is logged in makes, sees and ends them.

use std::fmt::{Display, Write as _};

use berth_access::{Caller, ManageError};
use berth_catalog::app_password::AppPasswordId;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;
use jiff::Timestamp;

use super::form::{Form, TOKEN, token};
use super::html::{escaped, see_other};
use super::session::{self, Here};
use super::{PREFIX, Visit, back, cookie};
use crate::address;
use crate::body::Body;

/// Days that a password is good if nothing else is said.
const DAYS: u32 = 90;

/// Who is logged in, and that user's passwords.
pub(super) async fn overview(visit: &Visit<'_>, here: &Here<'_>, problem: Option<&str>) -> Response<Body> {
    let (words, caller) = (visit.words, &here.caller);
    let groups: Vec<String> = caller.groups().iter().map(|group| escaped(group)).collect();
    let groups = if groups.is_empty() { words.no_groups.to_owned() } else { groups.join(", ") };
    let hidden = format!("<input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">", token(here.secret));
    let mut content = format!(
        "<p>{} <strong>{}</strong></p>\n<p>{}: {groups}</p>\n\
         <form method=\"post\" action=\"{PREFIX}/out\">{hidden}<button>{}</button></form>\n",
        words.you_are,
        escaped(caller.name()),
        words.groups,
        words.log_out
    );
    // Users of the configuration have no account that could have any.
    let known = match visit.app.manage() {
        Ok(manage) => manage.application_passwords(caller, caller.name()).await,
        Err(error) => Err(error),
    };
    if let Ok(known) = known {
        // Writing to a text can't fail.
        let _ = write!(content, "<h2>{}</h2>\n<p>{}</p>\n<ul>\n", words.passwords, words.what_for);
        let alive =
            known.iter().filter(|one| one.revoked_at.is_none() && one.expires_at > visit.app.clock.now());
        let mut any = false;
        for one in alive {
            any = true;
            let used = one.used_at.map_or_else(|| words.never.to_owned(), day);
            let _ = writeln!(
                content,
                "<li>{} ({} {}, {} {used}) <form method=\"post\" action=\"{PREFIX}/passwords/{}\">{hidden}<button>{}</button></form></li>",
                escaped(&one.name),
                words.ends,
                day(one.expires_at),
                words.used,
                one.id.0,
                words.end
            );
        }
        if !any {
            let _ = writeln!(content, "<li>{}</li>", words.no_passwords);
        }
        let _ = write!(
            content,
            "</ul>\n<form method=\"post\" action=\"{PREFIX}/passwords\">{hidden}\n\
             <label>{}<input name=\"name\" required maxlength=\"128\"></label>\n\
             <label>{}<input name=\"days\" type=\"number\" min=\"1\" value=\"{DAYS}\" required></label>\n\
             <button>{}</button>\n</form>\n",
            words.password_name, words.days, words.make
        );
    }
    visit.page(StatusCode::OK, problem, &content)
}

/// `POST /login/passwords`: makes one, and shows it.
pub(super) async fn make<B>(visit: &Visit<'_>, body: B) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let (here, form) = match of_here(visit, body).await {
        Ok(found) => found,
        Err(response) => return (response, None),
    };
    let words = visit.words;
    let days = form.get("days").and_then(|days| days.parse().ok()).unwrap_or(DAYS);
    let name = form.get("name").unwrap_or_default().trim().to_owned();
    let made = match visit.app.manage() {
        Ok(manage) => manage.create_application_password(&here.caller, name, days).await,
        Err(error) => Err(error),
    };
    let response = match made {
        Ok((_, secret, _)) => {
            let host = address::host(&visit.head.uri, &visit.head.headers, visit.forwarded);
            let host = host.as_deref().unwrap_or("REGISTRY");
            let content = format!(
                "<h2>{}</h2>\n<p><code>{}</code></p>\n<p>{}</p>\n<p>{} <code>docker login -u {} {}</code></p>\n{}",
                words.made,
                escaped(secret.reveal()),
                words.shown_once,
                words.use_it,
                escaped(&quoted(here.caller.name())),
                escaped(host),
                back(words)
            );
            visit.page(StatusCode::OK, None, &content)
        }
        Err(error) => overview(visit, &here, Some(&error.to_string())).await,
    };
    (response, Some(here.caller))
}

/// `POST /login/passwords/ID`: ends one.
pub(super) async fn end<B>(visit: &Visit<'_>, body: B, id: &str) -> (Response<Body>, Option<Caller>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let (here, _) = match of_here(visit, body).await {
        Ok(found) => found,
        Err(response) => return (response, None),
    };
    let ended = match id.parse() {
        Ok(id) => revoked(visit, &here.caller, AppPasswordId(id)).await.map_err(|error| error.to_string()),
        Err(_) => Err(visit.words.again.to_owned()),
    };
    let response = match ended {
        Ok(()) => see_other(PREFIX),
        Err(problem) => overview(visit, &here, Some(&problem)).await,
    };
    (response, Some(here.caller))
}

async fn revoked(visit: &Visit<'_>, caller: &Caller, id: AppPasswordId) -> Result<(), ManageError> {
    visit.app.manage()?.revoke_application_password(caller, caller.name(), id).await
}

/// Reads a form that a page of ours showed to whoever is logged in.
async fn of_here<'a, B>(visit: &'a Visit<'_>, body: B) -> Result<(Here<'a>, Form), Response<Body>>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let words = visit.words;
    // Before anybody is believed: a form may take its time.
    let form = match cookie::find(&visit.head.headers, cookie::SESSION) {
        Some(secret) => visit.form(body, secret).await,
        None => None,
    };
    let here = match session::find(visit).await {
        Ok(Some(here)) => here,
        Ok(None) => return Err(session::entrance(visit, StatusCode::UNAUTHORIZED, Some(words.again))),
        Err(()) => return Err(session::entrance(visit, StatusCode::SERVICE_UNAVAILABLE, Some(words.busy))),
    };
    if let Some(form) = form {
        return Ok((here, form));
    }
    let mut response = overview(visit, &here, Some(words.again)).await;
    *response.status_mut() = StatusCode::FORBIDDEN;
    Err(response)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Writes a name so that a shell takes it as it is.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|char| char.is_ascii_alphanumeric() || "._-+@".contains(char));
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}
