//! `/api/v1/audit`: the audit trail, for clients of Elasticsearch.
//!
//! They take this path for the address of a cluster with one index, `berth-audit`. Who asks needs `read` on `system/audit`. Two searches
//! at a time reach the trail, the others wait for them, so that pulls never do.

mod answer;
mod path;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use berth_access::{Action, Resource};
use berth_audit::search::{self, Search};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::answer::Refusal;
use self::path::Call;
use crate::app::App;
use crate::body::Body;
use crate::context::{Endpoint, RequestContext};
use crate::inbound::in_time;
use crate::overload::Class;
use crate::{limit, person};

/// Where it is found.
const PREFIX: &str = "/api/v1/audit";
/// The part of the system that one has to be allowed to read.
const PART: &str = "audit";
/// The same in records of who read it.
const READ: &str = "system/audit";
/// Longest body of a search, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// Searches at work at once.
const PLACES: usize = 2;
/// How long others wait for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers searches, so many at a time.
#[derive(Debug)]
pub(crate) struct AuditSearch {
    search: Search,
    places: Semaphore,
}

impl AuditSearch {
    pub(crate) fn new(search: Search) -> Self {
        Self { search, places: Semaphore::new(PLACES) }
    }
}

/// Whether a request is for the audit trail.
pub(crate) fn is_here(uri: &Uri) -> bool {
    uri.path().strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request.
pub(crate) async fn handle<B>(app: &Arc<App>, cx: &mut RequestContext, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    cx.endpoint = Endpoint::Audit;
    let (head, body) = request.into_parts();
    let answered = match answer(app, cx, &head, body).await {
        Ok(value) => answer::ok(&value, &head),
        Err(refusal) => refusal.into_response(cx, &head),
    };
    if head.method == Method::HEAD { answered.map(|_| Body::empty()) } else { answered }
}

async fn answer<B>(app: &App, cx: &mut RequestContext, head: &Parts, body: B) -> Result<Value, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    if app.refuses_unrecorded() {
        return Err(Refusal::unrecorded());
    }
    // Before anything costs something.
    cx.slot = Some(app.overload.enter(Class::Search, cx.client).await?);
    let (caller, _) = person::identify(app, cx, &head.headers).await?;
    let caller = caller.from(Arc::new(cx.origin()));
    cx.caller = Some(caller.clone());
    if let Some(pause) = app.limits.check(limit::Class::Api, cx.client, &caller)? {
        // Who waits takes no place.
        cx.slot = None;
        pause.wait().await;
        cx.slot = Some(app.overload.enter(Class::Search, cx.client).await?);
    }
    app.access.require(&caller, Action::Read, Resource::System(PART))?;
    let Some(audit) = &app.audit else { return Err(Refusal::off()) };
    let call = Call::parse(&head.method, &head.uri, PREFIX)?;
    let parameters = path::parameters(head.uri.query());
    match call {
        Call::Info => Ok(answer::info()),
        Call::Exists => Ok(Value::Null),
        Call::Mapping => Ok(json!({ search::INDEX: { "mappings": search::mapping() } })),
        Call::Fields => {
            let wanted = path::fields(&parameters);
            Ok(search::capabilities(&|name| wanted.iter().any(|pattern| path::matches(pattern, name))))
        }
        Call::Search | Call::Count | Call::Many => {
            cx.part = Some(READ);
            let bytes = in_time(&app.config.limits, read(head, body, call == Call::Many)).await??;
            // It may have taken a while, in which whoever asks was stopped.
            app.access.still_stands(&caller)?;
            app.access.require(&caller, Action::Read, Resource::System(PART))?;
            // A closed semaphore would be one that nobody closes.
            let place = tokio::time::timeout(PATIENCE, audit.places.acquire()).await;
            let _place = place.map_err(|_| search::Error::busy())?.map_err(|_| search::Error::busy())?;
            Ok(match call {
                Call::Search => audit.search.search(&json_of(&bytes)?, &parameters).await?,
                Call::Count => audit.search.count(&json_of(&bytes)?, &parameters).await?,
                _ => {
                    let lines = String::from_utf8_lossy(&bytes);
                    audit.search.many(&lines, &parameters, path::is_index).await?
                }
            })
        }
    }
}

/// Reads the body of a search, or of several.
async fn read<B>(head: &Parts, body: B, of_many: bool) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let body = Limited::new(body.map_err(|error| error.to_string()), MOST_BYTES).collect().await;
    let bytes = body.map_err(|error| Refusal::body(&error.to_string(), MOST_BYTES))?.to_bytes();
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Bytes::new());
    }
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = answer::is_json(kind) || of_many && answer::is_lines(kind);
    if !is_known {
        return Err(Refusal::content_type(kind));
    }
    Ok(bytes)
}

/// Reads JSON; null if there is none.
fn json_of(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal::json(&error))
}
