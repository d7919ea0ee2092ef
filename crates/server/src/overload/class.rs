//! What kind of request it is, and what it goes before.

use http::Method;

use crate::v2::path::Endpoint;

/// A kind of request, as overload sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Manifests, and whatever asks for a header only.
    Pull,
    /// A blob's bytes.
    Download,
    /// Pushes and deletes that bring no body, such as the start of an upload.
    Push,
    /// Pushes that bring a body, perhaps slowly.
    Upload,
    /// Tags, repositories, referrers.
    List,
    /// Searches of the audit trail.
    Search,
}

/// What goes before what: the first is turned away last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Pull,
    Push,
    List,
}

impl Class {
    /// Every class, in the order of the discriminants.
    pub(super) const ALL: [Self; 6] =
        [Self::Pull, Self::Download, Self::Push, Self::Upload, Self::List, Self::Search];

    /// Finds the class of a request.
    pub(crate) fn of(endpoint: &Endpoint, method: &Method) -> Self {
        match (endpoint, method) {
            (Endpoint::Catalog { .. } | Endpoint::Tags { .. } | Endpoint::Referrers { .. }, _) => Self::List,
            (Endpoint::Blob { .. }, &Method::GET) => Self::Download,
            (Endpoint::Manifest { .. }, &Method::PUT)
            | (Endpoint::Upload { .. }, &(Method::PATCH | Method::PUT)) => Self::Upload,
            (Endpoint::Uploads { start, .. }, _) if start.digest.is_some() => Self::Upload,
            (Endpoint::Uploads { .. } | Endpoint::Upload { .. }, _) | (_, &Method::DELETE) => Self::Push,
            _ => Self::Pull,
        }
    }

    /// The label in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Download => "download",
            Self::Push => "push",
            Self::Upload => "upload",
            Self::List => "list",
            Self::Search => "search",
        }
    }

    pub(super) const fn rank(self) -> Rank {
        match self {
            Self::Pull | Self::Download => Rank::Pull,
            Self::Push | Self::Upload => Rank::Push,
            Self::List | Self::Search => Rank::List,
        }
    }

    /// Whether it takes a place among the requests at work, until its answer is ready.
    pub(super) const fn works(self) -> bool {
        !matches!(self, Self::Upload)
    }

    /// Whether it takes a place among the transfers, to its end.
    pub(super) const fn transfers(self) -> bool {
        matches!(self, Self::Download | Self::Upload)
    }
}

impl Rank {
    pub(super) const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::List];

    pub(super) const fn retry_after_seconds(self) -> u64 {
        match self {
            Self::Pull => 1,
            Self::Push => 2,
            Self::List => 5,
        }
    }
}
