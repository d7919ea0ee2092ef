//! Why something did not come in, and whether that ends the work.

use berth_jobs::Failure;

use crate::Error;

/// Why something did not come in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The work was asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// The other registry did not give it.
    #[error(transparent)]
    Upstream(#[from] berth_client::Error),
    /// This registry did not take it.
    #[error("{}", shown(.0))]
    Registry(#[from] Error),
    /// It can't come in as it is.
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// Returns how the whole work ends because of this; `None` if only one thing did not come in.
    pub(super) fn end(&self) -> Option<Failure> {
        match self {
            Self::Stopped | Self::Registry(Error::ReadOnly) => Some(Failure::Stopped),
            Self::Registry(Error::Busy | Error::Unavailable(_) | Error::StorageFull | Error::Internal(_)) => {
                Some(Failure::Retry(self.to_string()))
            }
            _ => None,
        }
    }

    /// Tells whether the other registry was out of reach.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Upstream(error) if error.is_outage())
    }
}

impl From<berth_catalog::Error> for Fault {
    fn from(error: berth_catalog::Error) -> Self {
        Self::Registry(error.into())
    }
}

fn shown(error: &Error) -> String {
    match error {
        Error::ManifestBlobsUnknown { digests, .. } => {
            let listed: Vec<String> = digests.iter().map(ToString::to_string).collect();
            format!("the registry lacks blobs of it: {}", listed.join(", "))
        }
        Error::DigestMismatch { given, computed } => {
            format!("content has digest {computed}, not {given}: the registry sends what it should not")
        }
        Error::Internal(cause) | Error::Unavailable(cause) => format!("{error}: {cause}"),
        other => other.to_string(),
    }
}
