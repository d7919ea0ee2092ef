//! Which requests the audit trail hears of, and what.
//!
//! Pushes and deletes that succeed are in the event log, in the transaction that made them. From here come pulls, lists, refusals and
//! logins. A challenge to a client that gave no credentials, or a token for less than it asks for, is none of these: clients begin with it.

mod call;

use std::sync::Arc;

use berth_access::Action as Asked;
use berth_audit::{Action, Note, Outcome, Recorder, Who};
use berth_catalog::Clock;
use http::{HeaderMap, Method, StatusCode};

use self::call::called;
use crate::context::{Endpoint, RequestContext, Verdict};

const DIGEST: &str = "docker-content-digest";

/// Returns what an answer says it holds.
pub(crate) fn digest(headers: &HeaderMap) -> Option<String> {
    headers.get(DIGEST).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

/// Records a request that has ended, if it counts.
pub(crate) fn finished(
    recorder: &Recorder,
    clock: &Clock,
    context: &RequestContext,
    status: Option<StatusCode>,
) {
    if let Some(caller) = &context.caller
        && recorder.is_login(caller)
    {
        let who = Who::Caller(caller.clone());
        recorder.record(note(clock, context, Action::Login, Outcome::Success, who));
    }
    let Some((action, outcome, who, reason)) = counts(recorder, context, status) else { return };
    let status = status.map(|status| status.as_u16());
    recorder.record(Note { status, reason, ..about(note(clock, context, action, outcome, who), context) });
}

type Counts = (Action, Outcome, Who, Option<String>);

fn counts(recorder: &Recorder, context: &RequestContext, status: Option<StatusCode>) -> Option<Counts> {
    match &context.verdict {
        Some(Verdict::NotProved { name, who, reason }) => {
            let who = who.clone().map_or_else(|| Who::Claimed(name.clone()), Who::Caller);
            Some((Action::Login, Outcome::Failure, who, Some(reason.clone())))
        }
        Some(Verdict::Denied { action, reason }) => {
            let caller = context.caller.as_ref()?;
            // A challenge: for credentials, or for a token that is good for more.
            if status == Some(StatusCode::UNAUTHORIZED) {
                return None;
            }
            let action = match asked(*action) {
                // What is pushed is images.
                _ if context.endpoint == Endpoint::Api && !context.method.is_safe() => Action::Access,
                action => action,
            };
            Some((action, Outcome::Failure, Who::Caller(caller.clone()), Some(reason.clone())))
        }
        None => {
            let action = read(recorder, context, status?)?;
            Some((action, Outcome::Success, Who::Caller(context.caller.clone()?), None))
        }
    }
}

/// Tells what was read, if anything was.
fn read(recorder: &Recorder, context: &RequestContext, status: StatusCode) -> Option<Action> {
    // Searches come with a body.
    if context.method != Method::GET && context.endpoint != Endpoint::Audit {
        return None;
    }
    // A client that has it is told so; a blob may be fetched from the bucket, where a redirect leads.
    let handed_out = status.is_success() || status.is_redirection();
    match context.endpoint {
        Endpoint::Manifest if handed_out => Some(Action::Pull),
        Endpoint::Blob if handed_out && recorder.records_blobs() => Some(Action::Pull),
        Endpoint::Catalog | Endpoint::Tags | Endpoint::Referrers if handed_out => Some(Action::List),
        Endpoint::Audit if handed_out && context.part.is_some() => {
            recorder.is_look(context.caller.as_ref()?).then_some(Action::Read)
        }
        _ => None,
    }
}

fn asked(action: Asked) -> Action {
    match action {
        Asked::Pull => Action::Pull,
        Asked::Push | Asked::Create | Asked::Update | Asked::Sign => Action::Push,
        Asked::Delete => Action::Delete,
        Asked::List => Action::List,
        Asked::Read | Asked::Scan | Asked::Replicate => Action::Read,
        Asked::Administer => Action::Access,
    }
}

fn note(clock: &Clock, context: &RequestContext, action: Action, outcome: Outcome, who: Who) -> Note {
    let origin = match &who {
        Who::Caller(caller) => caller.origin().cloned(),
        Who::Claimed(_) => None,
    };
    Note {
        at: clock.now(),
        action,
        outcome,
        who,
        origin: origin.unwrap_or_else(|| Arc::new(context.origin())),
        repository: None,
        tag: None,
        digest: None,
        status: None,
        reason: None,
        part: None,
        called: None,
    }
}

/// Adds what the request was about.
fn about(mut note: Note, context: &RequestContext) -> Note {
    note.repository.clone_from(&context.repository);
    note.digest.clone_from(&context.digest);
    note.part = context.part;
    if context.endpoint == Endpoint::Api {
        note.called = Some(called(&context.method, &context.uri));
    }
    if let Some(reference) = &context.reference {
        let is_digest = reference.contains(':');
        if context.endpoint == Endpoint::Manifest && !is_digest {
            note.tag = Some(reference.clone());
        } else if is_digest && note.digest.is_none() {
            note.digest = Some(reference.clone());
        }
    }
    note
}

#[cfg(test)]
mod tests;
