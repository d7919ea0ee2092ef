//! What is known about one request while it is answered: read by `v2`, written out as the access line.

use std::net::IpAddr;

use berth_access::Caller;
use berth_oci::RepositoryName;
use http::{HeaderValue, Method, Uri, Version};

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
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Ready,
    /// `/metrics`.
    Metrics,
    /// `/login` and the pages below it.
    Login,
}

impl Endpoint {
    /// Every endpoint, in the order of the discriminants.
    pub(crate) const ALL: [Self; 14] = [
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
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Login,
    ];

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
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
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
}
