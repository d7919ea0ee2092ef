//! What a client begins with a request, as far as it is limited.

use http::Method;

use crate::v2::path::Endpoint;

/// A kind of beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The start of an upload.
    Push,
    /// Manifests, blobs, lists.
    Pull,
    /// A login, if it fails.
    Login,
    /// A call of the management API.
    Api,
}

impl Class {
    /// Every class, in the order of the discriminants.
    pub(super) const ALL: [Self; 4] = [Self::Push, Self::Pull, Self::Login, Self::Api];

    /// Finds what a request to the registry begins. Chunks, ends and states of uploads begin nothing; manifests that are pushed end
    /// what uploads began; and the greeting is how clients log in, which is limited where it fails.
    pub(crate) fn of(endpoint: &Endpoint, method: &Method) -> Option<Self> {
        match (endpoint, method) {
            (Endpoint::Uploads { .. }, &Method::POST) => Some(Self::Push),
            (Endpoint::Base | Endpoint::Uploads { .. } | Endpoint::Upload { .. }, _) => None,
            (_, &(Method::GET | Method::HEAD)) => Some(Self::Pull),
            _ => None,
        }
    }

    /// The label in metrics, and the key in the configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Login => "login",
            Self::Api => "api",
        }
    }

    /// What there was too much of.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Push => "too many uploads started",
            Self::Pull => "too many pulls",
            Self::Login => "too many failed logins",
            Self::Api => "too many calls",
        }
    }
}
