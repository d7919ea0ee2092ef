//! Turns what the service answers into the store's words.

use std::{error::Error as StdError, io};

use http::StatusCode;
use object_store::client::HttpError;

use crate::Error;

/// Says that the service is overloaded, in trouble or full.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the service answered with status {status}")]
pub(super) struct Refused {
    pub(super) status: u16,
}

impl Refused {
    /// Says whether it has no more space.
    pub(super) fn is_full(self) -> bool {
        self.status == StatusCode::INSUFFICIENT_STORAGE.as_u16()
    }
}

/// Says whether an answer tells of the service and not of the request: `SlowDown`, `InternalError`, a gateway without
/// backends.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::INSUFFICIENT_STORAGE
    )
}

/// Maps an error of the client.
pub(super) fn map(error: object_store::Error, doing: &str) -> Error {
    if let Some(http) = cause::<HttpError>(&error) {
        return match cause::<Refused>(http) {
            Some(refused) if refused.is_full() => Error::Full,
            _ => Error::Unavailable(format!("{doing}: {http}")),
        };
    }
    match &error {
        // A bucket that is not there says nothing about what is in it.
        object_store::Error::NotFound { .. } if says(&error, "NoSuchBucket") => {
            Error::Unavailable(format!("{doing}: the bucket doesn't exist"))
        }
        object_store::Error::NotFound { .. } => Error::NotFound,
        object_store::Error::PermissionDenied { .. } if says(&error, "QuotaExceeded") => Error::Full,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, error), doing.to_owned())
        }
        _ if says(&error, "<Code>SlowDown</Code>") || says(&error, "<Code>InternalError</Code>") => {
            Error::Unavailable(format!("{doing}: the service is overloaded"))
        }
        _ => Error::Io(io::Error::other(error), doing.to_owned()),
    }
}

/// Says whether the service no longer has the parts that an upload is to be made of.
pub(super) fn lost_parts(error: &object_store::Error) -> bool {
    says(error, "<Code>InvalidPart")
}

/// Looks for a code of the service's in its answer.
fn says(error: &object_store::Error, code: &str) -> bool {
    error.to_string().contains(code)
}

/// Finds an error among the causes of another, itself included.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpErrorKind;

    use super::*;

    fn generic(source: impl StdError + Send + Sync + 'static) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: Box::new(source) }
    }

    fn not_found(text: &str) -> object_store::Error {
        object_store::Error::NotFound { path: "key".into(), source: text.into() }
    }

    #[test]
    fn a_service_in_trouble_is_unavailable_and_a_full_one_full() {
        let refused = |status| generic(HttpError::new(HttpErrorKind::Request, Refused { status }));
        assert!(matches!(map(refused(503), "x"), Error::Unavailable(_)));
        assert!(matches!(map(refused(507), "x"), Error::Full));
        let reset = HttpError::new(HttpErrorKind::Connect, io::Error::other("reset"));
        assert!(matches!(map(generic(reset), "x"), Error::Unavailable(_)));
        assert!(matches!(map(generic(io::Error::other("what")), "x"), Error::Io(..)));
    }

    #[test]
    fn a_bucket_that_is_gone_is_no_blob_that_is_gone() {
        assert!(matches!(map(not_found("<Code>NoSuchKey</Code>"), "x"), Error::NotFound));
        assert!(matches!(map(not_found("<Code>NoSuchBucket</Code>"), "x"), Error::Unavailable(_)));
    }
}
