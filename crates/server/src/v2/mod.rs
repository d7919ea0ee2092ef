//! The distribution API: `/v2/`.
//!
//! A request is parsed to an [`Endpoint`], its caller is found out, and one handler asks for a permit, makes one call to the
//! registry and shapes the response. Errors become answers in `error`.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use berth_access::{Caller, Permit, Push, Right};
use berth_oci::RepositoryName;
use berth_registry::{BodyError, Freshness, Registry};
use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;

use self::error::Refusal;
use self::incoming::{Check, Incoming};
use self::location::Locations;
use self::path::Endpoint;
use crate::app::App;
use crate::body::Body;
use crate::context::RequestContext;
use crate::overload::Class;
use crate::{certificate, limit, token};

mod base;
mod blob;
mod catalog;
mod error;
mod header;
mod incoming;
mod location;
mod manifest;
pub(crate) mod path;
mod query;
mod referrer;
mod tag;
mod upload;

/// What a handler returns.
type Answer = Result<Response<Body>, Refusal>;

/// Answers a request whose path is `/v2` or below.
pub(crate) async fn handle<B>(app: &Arc<App>, cx: &mut RequestContext, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let (head, body) = request.into_parts();
    let body = Incoming::new(&head, body);
    let mut response = match answer(app, cx, &head, body).await {
        Ok(response) => response,
        Err(refusal) => {
            let challenge = refusal.fault().map(|fault| token::challenge(app, cx, &head.headers, fault));
            refusal.into_response(cx, challenge)
        }
    };
    if head.method == Method::HEAD {
        without_content(&mut response);
    }
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(&header::DOCKER_DISTRIBUTION_API_VERSION, version);
    response
}

/// What every handler needs beside what its endpoint says.
struct Call<'a> {
    app: &'a App,
    head: &'a Parts,
    caller: Caller,
    client: IpAddr,
    locations: Locations<'a>,
}

impl Call<'_> {
    fn registry(&self) -> &Registry {
        &self.app.registry
    }

    /// Labels what was recalled, so that nobody takes it for the latest (`Age`: RFC 9111 section 5.1).
    fn label(&self, response: &mut Response<Body>, freshness: Freshness) {
        let Freshness::Stale(age) = freshness else { return };
        self.app.metrics.http.stale.fetch_add(1, Ordering::Relaxed);
        let seconds = HeaderValue::from(age.as_secs());
        response.headers_mut().insert(AGE, seconds.clone());
        response.headers_mut().insert(&header::BERTH_STALE, seconds);
    }

    fn permit<A: Right>(&self, repository: &RepositoryName) -> Result<Permit<A>, Refusal> {
        Ok(self.app.access.permit(&self.caller, repository)?)
    }

    /// Asks once more for a permit that was given before a body came in: that may have taken a while, in which its caller was stopped.
    fn permit_again<A: Right>(&self, permit: &Permit<A>) -> Result<Permit<A>, Refusal> {
        self.app.access.still_stands(&self.caller)?;
        self.permit(permit.repository())
    }

    /// What asks that at the end of a body that the registry reads.
    fn check(&self, permit: &Permit<Push>) -> Check {
        let (access, caller) = (self.app.access.clone(), self.caller.clone());
        let repository = permit.repository().clone();
        Box::new(move || {
            let ended = |why: String| BodyError(format!("it came in too late: {why}"));
            access.still_stands(&caller).map_err(|error| ended(error.to_string()))?;
            access.permit::<Push>(&caller, &repository).map(drop).map_err(|denied| ended(denied.to_string()))
        })
    }

    /// Says why a body was refused that came in: that its caller was stopped, if so.
    fn refused(&self, permit: &Permit<Push>, error: berth_registry::Error) -> Refusal {
        match error {
            berth_registry::Error::Body(_) => self.permit_again(permit).err().unwrap_or_else(|| error.into()),
            error => error.into(),
        }
    }
}

async fn answer<B>(app: &App, cx: &mut RequestContext, head: &Parts, body: Incoming<B>) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let endpoint = Endpoint::parse(head.uri.path(), head.uri.query())
        .map_err(|error| Refusal::path(error, &head.method))?;
    endpoint.describe(cx);
    if app.refuses_unrecorded() {
        return Err(Refusal::unrecorded());
    }
    // Before anything costs something. An operator must see a full server's state, so only the registry turns away.
    let class = Class::of(&endpoint, &head.method);
    cx.slot = Some(app.overload.enter(class, cx.client).await?);
    let caller = certificate::identify(app, cx, &head.headers).await?.from(Arc::new(cx.origin()));
    cx.caller = Some(caller.clone());
    if let Some(begins) = limit::Class::of(&endpoint, &head.method)
        && let Some(pause) = app.limits.check(begins, cx.client, &caller)?
    {
        // Who waits takes no place.
        cx.slot = None;
        pause.wait().await;
        cx.slot = Some(app.overload.enter(class, cx.client).await?);
    }
    let locations = Locations::below(cx.forwarded.prefix.as_deref());
    let call = Call { app, head, caller, client: cx.client, locations };
    dispatch(&call, endpoint, body).await
}

/// The table of the API: which handler answers which method of which endpoint.
async fn dispatch<B>(call: &Call<'_>, endpoint: Endpoint, body: Incoming<B>) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    use Endpoint as E;
    match (endpoint, call.head.method.as_str()) {
        (E::Base, "GET" | "HEAD") => base::get(call),
        (E::Catalog { page }, "GET" | "HEAD") => catalog::list(call, page).await,
        (E::Tags { repository, page }, "GET" | "HEAD") => tag::list(call, &repository, page).await,

        (E::Manifest { repository, reference, .. }, "GET") => {
            manifest::get(call, &repository, &reference).await
        }
        (E::Manifest { repository, reference, .. }, "HEAD") => {
            manifest::head(call, &repository, &reference).await
        }
        (E::Manifest { repository, reference, tags }, "PUT") => {
            manifest::put(call, &repository, &reference, &tags, body).await
        }
        (E::Manifest { repository, reference, .. }, "DELETE") => {
            manifest::delete(call, &repository, &reference).await
        }
        (E::Referrers { repository, subject, artifact_type, page }, "GET" | "HEAD") => {
            referrer::list(call, &repository, &subject, artifact_type.as_deref(), page).await
        }

        (E::Blob { repository, digest }, "GET") => blob::get(call, &repository, &digest).await,
        (E::Blob { repository, digest }, "HEAD") => blob::head(call, &repository, &digest).await,
        (E::Blob { repository, digest }, "DELETE") => blob::delete(call, &repository, &digest).await,

        (E::Uploads { repository, start }, "POST") => upload::start(call, &repository, &start, body).await,
        (E::Upload { repository, id, .. }, "GET" | "HEAD") => upload::status(call, &repository, &id).await,
        (E::Upload { repository, id, .. }, "PATCH") => upload::append(call, &repository, &id, body).await,
        (E::Upload { repository, id, digest }, "PUT") => {
            upload::finish(call, &repository, &id, digest.as_ref(), body).await
        }
        (E::Upload { repository, id, .. }, "DELETE") => upload::cancel(call, &repository, &id).await,

        (endpoint, _) => Err(Refusal::method(&call.head.method, endpoint.allow())),
    }
}

/// Makes a response to `HEAD` of one to `GET`: the header says what the content would be (RFC 9110 section 9.3.2).
fn without_content(response: &mut Response<Body>) {
    let has_content =
        !response.status().is_informational() && response.status() != http::StatusCode::NO_CONTENT;
    if has_content
        && !response.headers().contains_key(CONTENT_LENGTH)
        && let Some(length) = response.body().size_hint().exact()
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::empty();
}

#[cfg(test)]
mod tests;
