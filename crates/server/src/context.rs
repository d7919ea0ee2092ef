//! What is known about one request while it is answered: read by `v2`, written out as the access line.

use std::net::IpAddr;

use berth_access::{Caller, Origin, Unauthenticated};
use berth_oci::RepositoryName;
use http::header::USER_AGENT;
use http::{HeaderValue, Method, Request, Uri, Version};

use crate::certificate::ClientCertificate;
use crate::overload::Slot;
use crate::proxy::Forwarded;
use crate::request_id::RequestId;

/// Names the kind of resource a request was for, in metrics and access lines.
///
/// A closed set, so that every counter exists before the first request and a client can't invent labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Endpoint {
    /// A path that no route knows.
    #[default]
    Unknown,
    /// `/v2/`.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/<name>/tags/list`.
    Tags,
    /// `/v2/<name>/manifests/<reference>`.
    Manifest,
    /// `/v2/<name>/blobs/<digest>`.
    Blob,
    /// `/v2/<name>/blobs/uploads/` and the sessions below it.
    Upload,
    /// `/v2/<name>/referrers/<digest>`.
    Referrers,
    /// `/token` and its alias.
    Token,
    /// `/.well-known/jwks.json`.
    Keys,
    /// `/api/v1` and below.
    Api,
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Ready,
    /// `/metrics`.
    Metrics,
    /// `/api/v1/audit` and below.
    Audit,
    /// `/login` and the pages below it.
    Login,
}

impl Endpoint {
    /// Every endpoint, in the order of the discriminants.
    pub(crate) const ALL: [Self; 16] = [
        Self::Unknown,
        Self::Base,
        Self::Catalog,
        Self::Tags,
        Self::Manifest,
        Self::Blob,
        Self::Upload,
        Self::Referrers,
        Self::Token,
        Self::Keys,
        Self::Api,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Audit,
        Self::Login,
    ];

    /// What a request with this method does, as the audit trail names it; the endpoint's own name for what is no matter of repositories.
    pub(crate) fn action(self, method: &Method) -> &'static str {
        match (self, method) {
            (Self::Manifest | Self::Blob, &Method::DELETE) => "delete",
            (Self::Manifest, &Method::PUT) | (Self::Upload, _) => "push",
            (Self::Manifest | Self::Blob, _) => "pull",
            (Self::Tags | Self::Catalog | Self::Referrers, _) => "list",
            (other, _) => other.as_str(),
        }
    }

    /// The label in metrics and access lines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags => "tags",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Upload => "upload",
            Self::Referrers => "referrers",
            Self::Token => "token",
            Self::Keys => "keys",
            Self::Api => "api",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Audit => "audit",
            Self::Login => "login",
        }
    }
}

/// What is known about one request.
///
/// The server fills the first part before the handler runs; the handler fills the second part as it learns it.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// Identifies the request in the response header, the access line and log lines.
    pub(crate) request_id: RequestId,
    /// The client's address: the peer, or what a trusted proxy says.
    pub(crate) client: IpAddr,
    /// The protocol version of the request.
    pub(crate) http_version: Version,
    /// The method of the request.
    pub(crate) method: Method,
    /// The target of the request, as sent.
    pub(crate) uri: Uri,
    /// The client's `User-Agent`, as sent.
    pub(crate) user_agent: Option<HeaderValue>,
    /// The address the client used, as a trusted proxy reports it; empty without one.
    pub(crate) forwarded: Forwarded,
    /// Who the client is by its certificate.
    pub(crate) certificate: Option<ClientCertificate>,

    /// The resource the request is for.
    pub(crate) endpoint: Endpoint,
    /// Who asks, once authenticated.
    pub(crate) caller: Option<Caller>,
    /// The repository the request is for.
    pub(crate) repository: Option<RepositoryName>,
    /// The tag or digest the request is for.
    pub(crate) reference: Option<String>,
    /// The place it was given among the requests at work.
    pub(crate) slot: Option<Slot>,
    /// The internal cause of a failure, for the access line only.
    pub(crate) error: Option<String>,
    /// Why somebody was not let in, for the audit trail.
    pub(crate) verdict: Option<Verdict>,
    /// The manifest or blob that was handed out.
    pub(crate) digest: Option<String>,
    /// The part of the system of which something was handed out.
    pub(crate) part: Option<&'static str>,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The credentials prove nobody.
    NotProved {
        /// The name in them, if there was one.
        name: Option<String>,
        /// Who it surely is, where what was shown was right once.
        who: Option<Caller>,
        /// What was wrong.
        reason: String,
    },
    /// The caller may not do that.
    Denied {
        /// What it wanted to do.
        action: berth_access::Action,
        /// Why not.
        reason: String,
    },
}

impl RequestContext {
    /// Begins with what a request says by itself; nothing is known yet of where it came from but the client's address.
    pub(crate) fn begin<B>(request: &Request<B>, request_id: RequestId, client: IpAddr) -> Self {
        Self {
            request_id,
            client,
            http_version: request.version(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            forwarded: Forwarded::default(),
            certificate: None,
            endpoint: Endpoint::Unknown,
            caller: None,
            repository: None,
            reference: None,
            slot: None,
            error: None,
            verdict: None,
            digest: None,
            part: None,
        }
    }

    /// Where the request came from, for the events that it causes and the audit trail.
    pub(crate) fn origin(&self) -> Origin {
        let agent = self.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        Origin::new(self.client, agent.as_deref(), self.request_id.as_str())
    }
}

impl Verdict {
    /// What the audit trail says of credentials that were not looked at, because too many before them were wrong.
    pub(crate) fn too_many_logins() -> Self {
        Self::NotProved { name: None, who: None, reason: "too_many_logins".to_owned() }
    }

    /// What the audit trail says of credentials that prove nobody; nothing if that could not be decided.
    pub(crate) fn not_proved(error: &Unauthenticated) -> Option<Self> {
        let name = error.name().map(ToOwned::to_owned);
        (!error.is_busy()).then(|| Self::NotProved {
            name,
            who: error.proved(),
            reason: error.reason().to_owned(),
        })
    }
}
