//! One request and its response, from the header to the last byte: counted, timed and logged when it ends.
//!
//! It ends exactly once, however it ends: with the response's body, with a handler that was dropped because the
//! client left, or with a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Response, StatusCode};

use crate::access_log::Line;
use crate::app::App;
use crate::body::{Body, End, Sent};
use crate::context::RequestContext;
use crate::listen::Connection;
use crate::metrics::{Finished, Outcome};
use crate::record;
use crate::request_id::X_REQUEST_ID;

/// The status in access lines of requests whose client left before there was one; other servers write the same.
const CLIENT_WENT_AWAY: u16 = 499;

/// One request and its response.
pub(crate) struct Exchange {
    app: Arc<App>,
    connection: Arc<Connection>,
    /// What is known about the request.
    pub(crate) context: RequestContext,
    /// Counts the bytes of the request's body, if it has one.
    received: Option<Arc<AtomicU64>>,
    uploading: bool,
    began: Instant,
    /// The response's status, and how long it took until then.
    head: Option<(StatusCode, Duration)>,
    ended: bool,
}

impl Exchange {
    /// Begins with the request's header; `received` counts what comes of its body.
    pub(crate) fn begin(
        app: Arc<App>,
        connection: Arc<Connection>,
        context: RequestContext,
        received: Option<Arc<AtomicU64>>,
    ) -> Self {
        let uploading = received.is_some() && context.uri.path().contains("/blobs/uploads");
        let http = &app.metrics.http;
        http.in_flight.fetch_add(1, Ordering::Relaxed);
        if uploading {
            http.uploads_in_flight.fetch_add(1, Ordering::Relaxed);
        }
        connection.begin_handling();
        Self {
            context,
            received,
            uploading,
            began: Instant::now(),
            head: None,
            ended: false,
            app,
            connection,
        }
    }

    /// Goes on with the response, which carries the exchange to its own end.
    pub(crate) fn respond(mut self, response: Response<Body>) -> Response<Body> {
        self.head = Some((response.status(), self.began.elapsed()));
        self.connection.begin_responding();
        if let Some(slot) = &mut self.context.slot {
            slot.begin_responding();
        }
        let (mut head, body) = response.into_parts();
        if self.app.recorder.is_some() {
            self.context.digest = record::digest(&head.headers);
        }
        head.headers.insert(X_REQUEST_ID.clone(), self.context.request_id.header());
        Response::from_parts(head, body.on_end(move |sent| self.end(sent)))
    }

    fn end(&mut self, sent: Sent) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut outcome = Outcome::Aborted;
        if let Some((status, _)) = self.head {
            outcome = match sent.end {
                End::Failed(cause) => {
                    self.context.error.get_or_insert(cause);
                    Outcome::Failed
                }
                // The connection doesn't ask for the body of an answer to HEAD, and drops it.
                End::Aborted if self.context.method != Method::HEAD => Outcome::Aborted,
                _ if status.is_server_error() => Outcome::Failed,
                _ if status.is_client_error() => Outcome::Refused,
                _ => Outcome::Success,
            };
            self.connection.end_responding();
        } else {
            self.connection.end_handling();
        }
        self.context.slot = None;
        self.count(outcome);
        if let Some(recorder) = &self.app.recorder {
            record::finished(recorder, &self.app.clock, &self.context, self.head.map(|(status, _)| status));
        }
        self.log(outcome, sent.bytes);
    }

    fn count(&self, outcome: Outcome) {
        let http = &self.app.metrics.http;
        http.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.uploading {
            http.uploads_in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        let until_end = self.began.elapsed();
        http.finish(&Finished {
            endpoint: self.context.endpoint,
            method: &self.context.method,
            status: self.head.map(|(status, _)| status),
            outcome,
            until_head: self.head.map_or(until_end, |(_, took)| took),
            until_end,
        });
    }

    fn log(&self, outcome: Outcome, bytes_out: u64) {
        let context = &self.context;
        self.app.access_log.append(
            &self.app.clock,
            &Line {
                request_id: context.request_id.as_str(),
                client: context.client,
                caller: context.caller.as_ref().map(berth_access::Caller::name),
                method: context.method.as_str(),
                path: context.uri.path(),
                repository: context.repository.as_ref().map(berth_oci::RepositoryName::as_str),
                reference: context.reference.as_deref(),
                endpoint: context.endpoint.as_str(),
                action: context.endpoint.action(&context.method),
                status: self.head.map_or(CLIENT_WENT_AWAY, |(status, _)| status.as_u16()),
                bytes_in: self.received.as_ref().map_or(0, |received| received.load(Ordering::Relaxed)),
                bytes_out,
                duration: self.began.elapsed(),
                user_agent: context.user_agent.as_ref(),
                protocol: context.http_version,
                outcome,
                error: context.error.as_deref(),
            },
        );
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(Sent { bytes: 0, end: End::Aborted });
    }
}
