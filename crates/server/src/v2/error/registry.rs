//! The domain's errors in the protocol's words.

use berth_access::Action;
use berth_oci::{ErrorCode, ErrorItem};
use berth_registry::Error;
use http::StatusCode;
use serde_json::json;

use super::Refusal;
use crate::context::Verdict;

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let verdict = verdict(&error);
        Self { verdict, ..Self::shaped(error) }
    }
}

impl Refusal {
    fn shaped(error: Error) -> Self {
        let (status, code) = classify(&error);
        let item = ErrorItem::new(code, error.to_string());
        match error {
            // One item for each, as the specification asks for ("Push").
            Error::ManifestBlobsUnknown { repository, digests } => {
                let items = digests.into_iter().map(|digest| {
                    let message =
                        format!("blob {digest} is not in {repository}: push it before the manifest");
                    ErrorItem::new(code, message).with_detail(json!({ "digest": digest }))
                });
                let mut refusal = Self::of(status, item);
                refusal.errors = items.collect();
                refusal
            }
            Error::ManifestUnknown { reference, .. } => {
                Self::of(status, item.with_detail(json!({ "reference": reference.to_string() })))
            }
            Error::BlobUnknown { digest, .. } | Error::BlobInUse { digest, .. } => {
                Self::of(status, item.with_detail(json!({ "digest": digest })))
            }
            Error::DigestMismatch { given, computed } => {
                Self::of(status, item.with_detail(json!({ "given": given, "computed": computed })))
            }
            Error::RangeMismatch { expected } => {
                Self::of(status, item.with_detail(json!({ "offset": expected })))
            }
            Error::Busy | Error::UploadBusy(_) => Self::of(status, item).with_retry(),
            Error::Unavailable(cause) => {
                Self { cause: Some(chain(cause.as_ref())), ..Self::of(status, item).with_retry() }
            }
            Error::ReadOnly => Self::read_only(error.to_string()),
            Error::Internal(cause) => Self { cause: Some(chain(cause.as_ref())), ..Self::of(status, item) },
            _ => Self::of(status, item),
        }
    }
}

/// What the audit trail says of a push that turned out to be more than its caller may do.
fn verdict(error: &Error) -> Option<Verdict> {
    let (action, reason) = match error {
        Error::NotGranted { action, .. } => {
            (*action, format!("forbidden: no role held there allows {action}"))
        }
        Error::NoProject { .. } => (Action::Create, "forbidden: the project does not exist".to_owned()),
        _ => return None,
    };
    Some(Verdict::Denied { action, reason })
}

/// Gives every error of the domain its status and code.
fn classify(error: &Error) -> (StatusCode, ErrorCode) {
    match error {
        Error::NotGranted { .. } | Error::NoProject { .. } => (StatusCode::FORBIDDEN, ErrorCode::Denied),
        Error::NameUnknown(_) => (StatusCode::NOT_FOUND, ErrorCode::NameUnknown),
        Error::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown),
        Error::BlobUnknown { .. } => (StatusCode::NOT_FOUND, ErrorCode::BlobUnknown),
        Error::UploadUnknown(_) => (StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown),
        Error::UploadBusy(_) => (StatusCode::CONFLICT, ErrorCode::BlobUploadInvalid),
        Error::RangeMismatch { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid),
        Error::DigestMismatch { .. } => (StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
        Error::SizeMismatch { .. } => (StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid),
        Error::BlobTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
        Error::ManifestInvalid(_) | Error::IndexTooDeep { .. } => {
            (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid)
        }
        Error::ManifestTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::ManifestInvalid),
        Error::ManifestBlobsUnknown { .. } => (StatusCode::BAD_REQUEST, ErrorCode::ManifestBlobUnknown),
        Error::BlobInUse { .. } => (StatusCode::CONFLICT, ErrorCode::Denied),
        Error::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unavailable),
        Error::Body(_) => (StatusCode::BAD_REQUEST, ErrorCode::BlobUploadInvalid),
        Error::Busy | Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable),
        Error::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown),
    }
}

/// An error with everything that led to it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
