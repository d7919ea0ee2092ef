use std::error::Error as _;
use std::io;

use berth_oci::Digest;
use berth_registry::Error;

use super::*;

fn header<'a>(refusal: &'a Refusal, name: &HeaderName) -> Option<&'a HeaderValue> {
    refusal.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn status_and_code(refusal: &Refusal) -> (u16, &'static str) {
    (refusal.status.as_u16(), refusal.errors[0].code.as_str())
}

#[test]
fn the_domains_errors_have_the_protocols_status_and_code() {
    let repository: berth_oci::RepositoryName = "a/b".parse().unwrap();
    let digest = Digest::of(berth_oci::Algorithm::Sha256, b"");
    let id = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let reference = "latest".parse().unwrap();
    for (error, status, code) in [
        (Error::NameUnknown(repository.clone()), 404, "NAME_UNKNOWN"),
        (Error::ManifestUnknown { repository: repository.clone(), reference }, 404, "MANIFEST_UNKNOWN"),
        (Error::BlobUnknown { repository: repository.clone(), digest }, 404, "BLOB_UNKNOWN"),
        (Error::UploadUnknown(id), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Error::UploadBusy(id), 409, "BLOB_UPLOAD_INVALID"),
        (Error::RangeMismatch { expected: 5 }, 416, "BLOB_UPLOAD_INVALID"),
        (Error::DigestMismatch { given: digest, computed: digest }, 400, "DIGEST_INVALID"),
        (Error::SizeMismatch { announced: 1, received: 2 }, 400, "SIZE_INVALID"),
        (Error::BlobTooLarge { limit: 1 }, 413, "SIZE_INVALID"),
        (Error::ManifestTooLarge { limit: 1 }, 413, "MANIFEST_INVALID"),
        (Error::IndexTooDeep { limit: 1 }, 400, "MANIFEST_INVALID"),
        (Error::BlobInUse { repository, digest }, 409, "DENIED"),
        (Error::StorageFull, 507, "UNAVAILABLE"),
        (Error::Body(BodyError("x".into())), 400, "BLOB_UPLOAD_INVALID"),
        (Error::Busy, 503, "UNAVAILABLE"),
        (Error::Unavailable("x".into()), 503, "UNAVAILABLE"),
        (Error::ReadOnly, 405, "UNSUPPORTED"),
        (Error::Internal("x".into()), 500, "UNKNOWN"),
    ] {
        let text = error.to_string();
        let refusal = Refusal::from(error);
        assert_eq!(status_and_code(&refusal), (status, code), "{text}");
        assert_eq!(
            header(&refusal, &RETRY_AFTER).is_some(),
            matches!(status, 409 | 503) && code != "DENIED",
            "{text}"
        );
    }
}

#[test]
fn each_missing_blob_is_an_error_of_its_own() {
    let digests =
        vec![Digest::of(berth_oci::Algorithm::Sha256, b"1"), Digest::of(berth_oci::Algorithm::Sha256, b"2")];
    let missing = Error::ManifestBlobsUnknown { repository: "a".parse().unwrap(), digests: digests.clone() };
    let refusal = Refusal::from(missing);
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    assert_eq!(refusal.errors.len(), 2);
    for (error, digest) in refusal.errors.iter().zip(digests) {
        assert_eq!(error.code, ErrorCode::ManifestBlobUnknown);
        assert_eq!(error.detail, Some(json!({ "digest": digest })));
    }
}

#[test]
fn internals_go_to_the_log_only() {
    let inner = io::Error::other("disk /dev/sdb1 broke");
    let refusal = Refusal::from(Error::Internal(Box::new(io::Error::other(inner))));
    assert!(!refusal.errors[0].message.contains("sdb1"));
    assert!(refusal.cause.unwrap().contains("sdb1"));
    assert!(io::Error::other("x").source().is_none());
}

#[test]
fn who_may_not_is_asked_for_credentials_only_if_they_could_help() {
    assert_eq!(status_and_code(&Refusal::login_needed(true)), (401, "UNAUTHORIZED"));
    assert_eq!(Refusal::login_needed(true).fault(), Some(Fault::None));
    assert_eq!(status_and_code(&Refusal::login_needed(false)), (403, "DENIED"));
    let busy = Refusal::from(Unauthenticated::Busy);
    assert_eq!(status_and_code(&busy), (503, "UNAVAILABLE"));
    assert_eq!(header(&busy, &RETRY_AFTER).unwrap(), "1");
    let wrong = Refusal::from(Unauthenticated::NoUsers);
    assert_eq!(status_and_code(&wrong), (401, "UNAUTHORIZED"));
    assert_eq!(wrong.fault(), Some(Fault::None));
    let revoked = Refusal::from(Unauthenticated::InvalidToken("has ended"));
    assert_eq!(
        (status_and_code(&revoked), revoked.fault()),
        ((401, "UNAUTHORIZED"), Some(Fault::InvalidToken))
    );
}

#[test]
fn a_tag_that_cannot_be_is_not_found_but_cannot_be_pushed() {
    let tag = || PathError::Tag("x".into());
    assert_eq!(status_and_code(&Refusal::path(tag(), &Method::GET)), (404, "MANIFEST_UNKNOWN"));
    assert_eq!(status_and_code(&Refusal::path(tag(), &Method::DELETE)), (404, "MANIFEST_UNKNOWN"));
    assert_eq!(status_and_code(&Refusal::path(tag(), &Method::PUT)), (400, "MANIFEST_INVALID"));
}
