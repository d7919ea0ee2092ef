//! Docker's token authentication: `/token`, its alias `/service/token` for clients of Harbor, and the public keys.
//!
//! A client that `/v2/` sent here (see [`challenge`]) comes with what it wants to do and with its credentials, or without any, and
//! gets a token that holds as much of that as its roles allow. The rules are those of the distribution project's documents "Token
//! Authentication Specification" (GET) and "Oauth2 Token Authentication" (POST).

use std::fmt::Display;
use std::sync::Arc;

use berth_access::{Caller, Tokens};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;

use self::answer::Shape;
use self::ask::Wanted;
use self::refusal::Refusal;
use crate::app::App;
use crate::body::Body;
use crate::certificate;
use crate::context::{Endpoint, RequestContext};
use crate::inbound::in_time;
use crate::overload::Class;
use crate::stranger;

mod answer;
mod ask;
mod challenge;
mod form;
mod grant;
mod refusal;

pub(crate) use challenge::{Fault, challenge};

/// Where tokens are to be had.
const PATHS: [&str; 2] = ["/token", "/service/token"];
/// Where the public keys are (RFC 8615).
const KEYS: &str = "/.well-known/jwks.json";

/// Finds the endpoint of a path, if it is one of these.
pub(crate) fn endpoint(path: &str) -> Option<Endpoint> {
    match path {
        KEYS => Some(Endpoint::Keys),
        path if PATHS.contains(&path) => Some(Endpoint::Token),
        _ => None,
    }
}

/// Answers a request for a token or for the keys.
pub(crate) async fn handle<B>(app: &Arc<App>, cx: &mut RequestContext, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let Some(tokens) = app.access.tokens() else { return Refusal::off().into_response(cx) };
    if cx.endpoint == Endpoint::Keys {
        return keys(tokens, cx);
    }
    let answer = match answer(app, tokens, cx, request).await {
        Ok(answer) => answer,
        Err(refusal) => return refusal.into_response(cx),
    };
    // What is in it must lie in no cache (RFC 6749 section 5.1).
    json(&answer, "no-store")
}

async fn answer<B>(
    app: &App,
    tokens: &Tokens,
    cx: &mut RequestContext,
    request: Request<B>,
) -> Result<serde_json::Value, Refusal>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let (head, body) = request.into_parts();
    if app.refuses_unrecorded() {
        return Err(Refusal::unrecorded());
    }
    cx.slot = Some(app.overload.enter(Class::Pull, cx.client).await?);
    let (wanted, shape) = match head.method {
        Method::GET | Method::HEAD => (Wanted::of_query(head.uri.query().unwrap_or_default()), Shape::Docker),
        Method::POST => {
            let text = in_time(&app.config.limits, form::read(body)).await??;
            (Wanted::of_form(text)?, Shape::OAuth2)
        }
        _ => return Err(Refusal::method()),
    };
    wanted.check_service(&tokens.config().service)?;
    let caller = caller(app, cx, &head.headers, &wanted).await?;
    cx.caller = Some(caller.clone());
    // Another for the one that was shown would let it live for ever.
    let keep = wanted.keep && wanted.refresh_token().is_none() && head.method != Method::HEAD;
    let issued = app.access.issue(&caller, &wanted.asks, keep).await?;
    let mut answer = shape.of(&issued, wanted.refresh_token());
    if wanted.is_exchange() {
        // RFC 8693 section 2.2.1.
        answer["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token".into();
    }
    Ok(answer)
}

/// Finds out who asks: by what the form holds, or by the header.
async fn caller(
    app: &App,
    cx: &RequestContext,
    headers: &HeaderMap,
    wanted: &Wanted,
) -> Result<Caller, Refusal> {
    let caller = match wanted.credentials()? {
        ask::Credentials::Refresh(token) => app.access.refresh_caller(token).await?,
        ask::Credentials::Job(token) => app.access.exchange(token).await?,
        ask::Credentials::Password(header) => stranger::identify(app, cx.client, &header).await?,
        ask::Credentials::Header => certificate::identify(app, cx, headers).await?,
    };
    if caller.scope().is_some() {
        return Err(Refusal::narrowed());
    }
    Ok(caller.from(Arc::new(cx.origin())))
}

fn keys(tokens: &Tokens, cx: &mut RequestContext) -> Response<Body> {
    if !matches!(cx.method, Method::GET | Method::HEAD) {
        let mut response = Refusal::method().into_response(cx);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    json(&tokens.public_keys(), "public, max-age=300")
}

fn json(content: &serde_json::Value, cache: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(content.to_string()));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if cache == "no-store" {
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    response
}

#[cfg(test)]
mod tests;
