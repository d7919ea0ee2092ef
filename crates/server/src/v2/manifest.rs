//! Manifests: pull, push, delete, and delete of tags (end-3, end-7, end-9).

use std::fmt::Display;
use std::sync::Arc;

use berth_access::{Delete, Pull, Push};
use berth_oci::{Reference, RepositoryName, Tag};
use berth_registry::{Known, PushedManifest, StoredManifest};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Response, StatusCode};

use super::error::Refusal;
use super::header::{self, Named};
use super::incoming::Incoming;
use super::{Answer, Call};
use crate::body::Body;
use crate::inbound::in_time;

pub(super) async fn get(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let pulled = call.registry().pull_manifest(&permit, reference).await?;
    Ok(found(call, reference, &pulled))
}

pub(super) async fn head(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let known = call.registry().stat_manifest(&permit, reference).await?;
    Ok(found(call, reference, &known))
}

pub(super) async fn put<B>(
    call: &Call<'_>,
    repository: &RepositoryName,
    reference: &Reference,
    tags: &[Tag],
    body: Incoming<B>,
) -> Answer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let permit = call.permit::<Push>(repository)?;
    let media_type = media_type(&call.head.headers)?;
    let limit = call.registry().config().limits.manifest_bytes as u64;
    let content =
        in_time(&call.app.config.limits, body.collect(limit, Refusal::manifest_too_large)).await??;
    let permit = call.permit_again(&permit)?;
    let pushed = call.registry().push_manifest(&permit, reference, tags, media_type, content).await?;
    Ok(created(call, repository, &pushed, !tags.is_empty()))
}

pub(super) async fn delete(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Answer {
    let permit = call.permit::<Delete>(repository)?;
    match reference {
        Reference::Tag(tag) => call.registry().delete_tag(&permit, tag).await?,
        Reference::Digest(digest) => call.registry().delete_manifest(&permit, digest).await?,
    }
    Ok(header::empty(StatusCode::ACCEPTED))
}

/// The manifest byte for byte as it was pushed, whatever `Accept` says: a conversion would change its digest.
fn found(call: &Call<'_>, reference: &Reference, known: &Known<Arc<StoredManifest>>) -> Response<Body> {
    let manifest = &known.content;
    let named = Named::new(&manifest.digest);
    let mut response = if named.is_known(&call.head.headers) {
        header::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut response = Response::new(Body::full(manifest.content.clone()));
        response.headers_mut().insert(CONTENT_TYPE, header::content_type(&manifest.media_type));
        response
    };
    let lifetime = match reference {
        Reference::Tag(_) => header::movable(&call.caller),
        Reference::Digest(_) => header::immutable(&call.caller),
    };
    named.insert_into(response.headers_mut(), lifetime);
    call.label(&mut response, known.freshness);
    response
}

/// `OCI-Tag` answers `tag` parameters; a push by tag alone has none.
fn created(
    call: &Call<'_>,
    repository: &RepositoryName,
    pushed: &PushedManifest,
    tagged: bool,
) -> Response<Body> {
    let mut response = header::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(LOCATION, call.locations.manifest(repository, &pushed.digest));
    headers.insert(&header::DOCKER_CONTENT_DIGEST, header::value(pushed.digest));
    if let Some(subject) = &pushed.subject {
        headers.insert(&header::OCI_SUBJECT, header::value(subject));
    }
    for tag in pushed.tags.iter().filter(|_| tagged) {
        headers.append(&header::OCI_TAG, header::value(tag));
    }
    response
}

/// The media type the client gave, without parameters, which the specification says to ignore ("Pushing Manifests").
fn media_type(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::content_type())?;
    let media_type = text.split(';').next().unwrap_or_default().trim_ascii();
    Ok(Some(media_type).filter(|media_type| !media_type.is_empty()))
}
