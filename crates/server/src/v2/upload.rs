//! Uploads of blobs: sessions, chunks, single requests and mounts (end-4, end-5, end-6, end-11, end-13, end-14).

use std::fmt::Display;

use berth_access::{Permit, Pull, Push};
use berth_blobs::UploadId;
use berth_oci::{ContentRange, Digest, RepositoryName};
use berth_registry::{Error, Upload};
use bytes::Bytes;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::error::Refusal;
use super::header;
use super::incoming::Incoming;
use super::query::{Mount, Start};
use super::{Answer, Call};
use crate::body::Body;

/// What clients are asked to send in a chunk at least, but for the last. Smaller ones are taken, but each waits for the
/// disk.
const CHUNK_MIN_BYTES: &str = "1048576";

pub(super) async fn start<B>(
    call: &Call<'_>,
    repository: &RepositoryName,
    start: &Start,
    body: Incoming<B>,
) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let permit = call.permit::<Push>(repository)?;
    if let Some(mount) = &start.mount
        && mounted(call, &permit, mount).await?
    {
        return Ok(created(call, repository, &mount.digest));
    }
    if let Some(digest) = &start.digest {
        check_size(call, &body, 0)?;
        let pushed = call.registry().push_blob(&permit, body.checked_by(call.check(&permit)), digest).await;
        pushed.map_err(|error| call.refused(&permit, error))?;
        return Ok(created(call, repository, digest));
    }
    let upload = call.registry().start_upload(&permit, start.session_algorithm()).await?;
    let mut response = session(call, repository, &upload, StatusCode::ACCEPTED);
    response.headers_mut().insert(&header::OCI_CHUNK_MIN_LENGTH, HeaderValue::from_static(CHUNK_MIN_BYTES));
    Ok(response)
}

pub(super) async fn status(call: &Call<'_>, repository: &RepositoryName, id: &UploadId) -> Answer {
    let permit = call.permit::<Push>(repository)?;
    let upload = call.registry().upload_status(&permit, id).await?;
    Ok(session(call, repository, &upload, StatusCode::NO_CONTENT))
}

pub(super) async fn append<B>(
    call: &Call<'_>,
    repository: &RepositoryName,
    id: &UploadId,
    body: Incoming<B>,
) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let permit = call.permit::<Push>(repository)?;
    let range = content_range(call, &body)?;
    let body = body.checked_by(call.check(&permit));
    let appended = call.registry().append_upload(&permit, id, range, body).await;
    let upload = appended.map_err(|error| refused(call, &permit, id, error))?;
    Ok(session(call, repository, &upload, StatusCode::ACCEPTED))
}

pub(super) async fn finish<B>(
    call: &Call<'_>,
    repository: &RepositoryName,
    id: &UploadId,
    digest: Option<&Digest>,
    body: Incoming<B>,
) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let permit = call.permit::<Push>(repository)?;
    let missing = "parameter digest is missing: add ?digest= with the digest of the whole blob";
    let digest = digest.ok_or_else(|| Refusal::digest(missing))?;
    let range = content_range(call, &body)?;
    let body = body.checked_by(call.check(&permit));
    let finished = call.registry().finish_upload(&permit, id, range, body, digest).await;
    finished.map_err(|error| refused(call, &permit, id, error))?;
    Ok(created(call, repository, digest))
}

pub(super) async fn cancel(call: &Call<'_>, repository: &RepositoryName, id: &UploadId) -> Answer {
    let permit = call.permit::<Push>(repository)?;
    call.registry().cancel_upload(&permit, id).await?;
    Ok(header::empty(StatusCode::NO_CONTENT))
}

/// Tries to take the blob from where the caller may pull it. A source it may not read is as good as one without the
/// blob.
async fn mounted(call: &Call<'_>, permit: &Permit<Push>, mount: &Mount) -> Result<bool, Refusal> {
    let readable = |name: &RepositoryName| call.app.access.permit::<Pull>(&call.caller, name).ok();
    let registry = call.registry();
    Ok(match &mount.from {
        None => registry.mount_blob_from_any(permit, readable, &mount.digest).await?,
        Some(from) => match readable(from) {
            Some(source) => registry.mount_blob(permit, &source, &mount.digest).await?,
            None => false,
        },
    })
}

/// Where the client says that its chunk lies. A chunk of nothing lies nowhere.
fn content_range<B>(call: &Call<'_>, body: &Incoming<B>) -> Result<Option<ContentRange>, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let Some(value) = call.head.headers.get(CONTENT_RANGE).filter(|_| body.announced() != Some(0)) else {
        check_size(call, body, 0)?;
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let range = ContentRange::parse(text).map_err(|error| Refusal::content_range(error.to_string()))?;
    check_size(call, body, range.first)?;
    match body.announced() {
        Some(received) if received != range.size() => {
            Err(Error::SizeMismatch { announced: range.size(), received }.into())
        }
        _ => Ok(Some(range)),
    }
}

/// Refuses what would make the blob too large before any of it is read.
fn check_size<B>(call: &Call<'_>, body: &Incoming<B>, offset: u64) -> Result<(), Refusal>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let limit = call.registry().config().limits.blob_bytes;
    let fits = body.announced().is_none_or(|announced| offset.saturating_add(announced) <= limit);
    if fits { Ok(()) } else { Err(Error::BlobTooLarge { limit }.into()) }
}

/// A refusal; when the chunk was out of order, it says where the session stands so that the client can go on.
fn refused(call: &Call<'_>, permit: &Permit<Push>, id: &UploadId, error: Error) -> Refusal {
    let offset = match &error {
        Error::RangeMismatch { expected } => Some(*expected),
        _ => None,
    };
    match offset {
        Some(offset) => Refusal::from(error).with_headers(progress(call, permit.repository(), id, offset)),
        None => call.refused(permit, error),
    }
}

/// A response about a session that is open.
fn session(
    call: &Call<'_>,
    repository: &RepositoryName,
    upload: &Upload,
    status: StatusCode,
) -> Response<Body> {
    let mut response = header::empty(status);
    response.headers_mut().extend(progress(call, repository, &upload.id, upload.offset));
    response
}

/// Where a session is and how far it has come. Nothing yet is `0-0`, as it always was: a range can't say it otherwise.
fn progress(
    call: &Call<'_>,
    repository: &RepositoryName,
    id: &UploadId,
    offset: u64,
) -> [(HeaderName, HeaderValue); 3] {
    [
        (LOCATION, call.locations.upload(repository, id)),
        (RANGE, header::value(format_args!("0-{}", offset.saturating_sub(1)))),
        (header::DOCKER_UPLOAD_UUID.clone(), header::value(id)),
    ]
}

/// The response to a blob that is now in the repository.
fn created(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Response<Body> {
    let mut response = header::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(LOCATION, call.locations.blob(repository, digest));
    headers.insert(&header::DOCKER_CONTENT_DIGEST, header::value(digest));
    response
}
