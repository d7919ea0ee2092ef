//! What `/v2/` tells a client that has to prove who it is, or to come with another token (RFC 6750 section 3, and Docker's token
//! specification).
//!
//! There is one challenge, never two: docker answers each that it knows, and Basic would win over the token it has. A client that sends
//! Basic credentials unasked is heard all the same.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue};

use crate::address;
use crate::app::App;
use crate::context::RequestContext;
use crate::v2::path::Endpoint;

/// What was wrong with the credentials that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There were none, or a name and a password.
    None,
    /// The token was not ours, or is over.
    InvalidToken,
    /// The token does not cover the request, another could.
    InsufficientScope,
}

/// Writes the challenge for a request.
pub(crate) fn challenge(app: &App, cx: &RequestContext, headers: &HeaderMap, fault: Fault) -> HeaderValue {
    let bearer = || {
        let config = app.access.tokens()?.config();
        let realm = match &config.realm {
            Some(realm) => realm.clone(),
            None => address::base(app, cx, headers)? + super::PATHS[0],
        };
        let mut text = format!("Bearer realm=\"{realm}\",service=\"{}\"", config.service);
        if let Some(scope) = scope(cx) {
            // Writing to a String doesn't fail.
            let _ = write!(text, ",scope=\"{scope}\"");
        }
        text.push_str(match fault {
            Fault::None => "",
            Fault::InvalidToken => ",error=\"invalid_token\"",
            Fault::InsufficientScope => ",error=\"insufficient_scope\"",
        });
        HeaderValue::try_from(text).ok()
    };
    bearer().unwrap_or(HeaderValue::from_static("Basic realm=\"berth\", charset=\"UTF-8\""))
}

/// The scope that a token needs for a request. Names hold no quotes.
fn scope(cx: &RequestContext) -> Option<String> {
    let endpoint = Endpoint::parse(cx.uri.path(), cx.uri.query()).ok()?;
    let repository = match &endpoint {
        Endpoint::Base => return None,
        Endpoint::Catalog { .. } => return Some("registry:catalog:*".to_owned()),
        Endpoint::Tags { repository, .. }
        | Endpoint::Manifest { repository, .. }
        | Endpoint::Blob { repository, .. }
        | Endpoint::Uploads { repository, .. }
        | Endpoint::Upload { repository, .. }
        | Endpoint::Referrers { repository, .. } => repository,
    };
    let is_upload = matches!(endpoint, Endpoint::Uploads { .. } | Endpoint::Upload { .. });
    let actions = match cx.method.as_str() {
        _ if is_upload => "pull,push",
        "GET" | "HEAD" => "pull",
        "DELETE" => "delete",
        _ => "pull,push",
    };
    let mut scope = format!("repository:{repository}:{actions}");
    if let Endpoint::Uploads { start, .. } = &endpoint
        && let Some(from) = start.mount.as_ref().and_then(|mount| mount.from.as_ref())
    {
        let _ = write!(scope, " repository:{from}:pull");
    }
    Some(scope)
}
