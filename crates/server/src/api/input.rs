//! What a call brings and what it gets: JSON, bounded and typed.

use std::collections::HashMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use berth_access::Caller;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// What needs no encoding in a component of a path.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'+');

/// A body as JSON. Its type refuses fields that it doesn't know, so that nobody can set what is not theirs to set
/// (CVE-2019-16097).
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "send JSON, with Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::invalid(format!("the body can't be read: {error}")))?;
        // Field by field: serde would take a list for the fields in their order.
        if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(Problem::invalid(
                "the body is not what this call takes: send a JSON object, {\"field\": …}",
            ));
        }
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Problem::invalid(format!("the body is not what this call takes: {error}")))
    }
}

/// What a path names. What is no text names nothing.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::from_request_parts(parts, state).await;
        named.map(|Path(named)| Self(named)).map_err(|_| Problem::not_found())
    }
}

/// Who calls; anybody, perhaps without credentials. What that caller may do, the domain decides.
pub(crate) struct Asking(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Self).ok_or_else(|| Problem::internal("a call came in without its caller"))
    }
}

/// Where robots are: in the project that the path names, or in none.
pub(crate) struct Place {
    project: Option<String>,
    robot: Option<String>,
    secret: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let mut named = match named {
            Ok(Path(named)) => named,
            Err(PathRejection::MissingPathParams(_)) => HashMap::new(),
            // Not text: nothing has such a name.
            Err(_) => return Err(Problem::not_found()),
        };
        let mut take = |key| named.remove(key);
        Ok(Self { project: take("project"), robot: take("robot"), secret: take("secret") })
    }
}

impl Place {
    pub(crate) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    pub(crate) fn secret(&self) -> Result<&str, Problem> {
        self.secret.as_deref().ok_or_else(Problem::not_found)
    }

    /// The last part of the robot's name. The whole one is understood, too: it is what lists show, and what robots log in with.
    pub(crate) fn robot(&self) -> Result<&str, Problem> {
        let named = self.robot.as_deref().ok_or_else(Problem::not_found)?;
        let Some(rest) = ["robot+", "robot$"].iter().find_map(|prefix| named.strip_prefix(prefix)) else {
            return Ok(named);
        };
        match (&self.project, rest.split_once('+')) {
            (None, None) => Ok(rest),
            (Some(project), Some((named, robot))) if project == named => Ok(robot),
            // Of another place.
            _ => Err(Problem::not_found()),
        }
    }
}

/// An answer with JSON, which no cache keeps.
pub(crate) fn reply(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => Problem::internal(error.to_string()).into_response(),
    }
}

/// An answer to what made something: where it is now, and what it is.
pub(crate) fn created(path: &[&str], value: &impl Serialize) -> Response {
    let mut response = reply(value);
    *response.status_mut() = StatusCode::CREATED;
    let encoded = path.iter().map(|part| utf8_percent_encode(part, COMPONENT).to_string());
    let location = format!("/api/v1/{}", encoded.collect::<Vec<_>>().join("/"));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Puts back what a proxy cut off in front of the path, where an answer leads to another path here.
pub(super) fn put_back(prefix: &str, headers: &mut HeaderMap) {
    for (name, begins) in [(LOCATION, "/"), (LINK, "</")] {
        let value = headers.get(&name).and_then(|value| value.to_str().ok());
        let Some(rest) = value.and_then(|value| value.strip_prefix(begins)) else { continue };
        let whole = format!("{}{prefix}/{rest}", begins.trim_end_matches('/'));
        if let Ok(whole) = HeaderValue::from_str(&whole) {
            headers.insert(name, whole);
        }
    }
}

/// Reads a number from a path. What is none names nothing.
pub(super) fn id_of(text: &str) -> Result<i64, Problem> {
    text.parse().ok().filter(|id| *id > 0).ok_or_else(Problem::not_found)
}
