//! Blobs: pull, whole or in ranges, and delete (end-2, end-10).

use std::ops::Range;
use std::sync::atomic::Ordering;

use berth_access::{Delete, Pull};
use berth_oci::{ByteRanges, Digest, RangeError, RepositoryName, media_type};
use berth_registry::{BlobContent, BlobHandle, Error, Freshness, Known, Pulled};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE, USER_AGENT,
};
use http::{HeaderValue, Response, StatusCode};
use uuid::Uuid;

use super::error::Refusal;
use super::header::{self, Named};
use super::{Answer, Call};
use crate::body::{Body, Source};

pub(super) async fn get(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let named = Named::new(digest);
    if named.is_known(&call.head.headers) {
        let known = call.registry().stat_blob(&permit, digest).await?;
        return Ok(describe(call, named, known.freshness, header::empty(StatusCode::NOT_MODIFIED)));
    }
    let user_agent = call.head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let Known { content: pulled, freshness } =
        call.registry().pull_blob_for(&permit, digest, call.client, user_agent).await?;
    let blob = match pulled {
        Pulled::Elsewhere(link) => return elsewhere(call, link, named),
        Pulled::Here(blob) => blob,
    };
    let response = match ranges(call, &named, blob.size)? {
        None => whole(blob),
        Some(ranges) => match ranges.as_slice() {
            [range] => part(blob, range),
            ranges => parts(blob, ranges),
        },
    };
    Ok(describe(call, named, freshness, response))
}

pub(super) async fn head(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let Known { content: size, freshness } = call.registry().stat_blob(&permit, digest).await?;
    let named = Named::new(digest);
    if named.is_known(&call.head.headers) {
        return Ok(describe(call, named, freshness, header::empty(StatusCode::NOT_MODIFIED)));
    }
    let mut response = octets(Body::empty());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    Ok(describe(call, named, freshness, response))
}

pub(super) async fn delete(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Answer {
    let permit = call.permit::<Delete>(repository)?;
    call.registry().delete_blob(&permit, digest).await?;
    Ok(header::empty(StatusCode::ACCEPTED))
}

/// Sends the client on, with its range if it has one. The link is good for a while only, so nobody may keep it.
fn elsewhere(call: &Call<'_>, link: String, named: Named) -> Answer {
    let link = HeaderValue::try_from(link).map_err(|error| Error::Internal(Box::new(error)))?;
    call.app.metrics.http.redirects.fetch_add(1, Ordering::Relaxed);
    let mut response = header::empty(StatusCode::TEMPORARY_REDIRECT);
    let headers = response.headers_mut();
    headers.insert(LOCATION, link);
    headers.insert(&header::DOCKER_CONTENT_DIGEST, named.digest);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The ranges asked for; none for the whole blob.
fn ranges(call: &Call<'_>, named: &Named, size: u64) -> Result<Option<Vec<Range<u64>>>, Refusal> {
    let headers = &call.head.headers;
    let Some(range) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    // Some clients ask for `bytes=0-` always; there is no such range of nothing, but there is no harm in it either.
    if size == 0 || !named.is_in_range_condition(headers) {
        return Ok(None);
    }
    match ByteRanges::parse(range, size) {
        Ok(ranges) => Ok(Some(ranges)),
        Err(RangeError::Unsatisfiable) => Err(Refusal::range(size)),
        // RFC 9110 section 14.2: what isn't understood is ignored.
        Err(RangeError::Malformed | RangeError::TooMany) => Ok(None),
    }
}

fn whole(blob: BlobHandle) -> Response<Body> {
    octets(Body::blob(source(blob.content), 0..blob.size))
}

fn part(blob: BlobHandle, range: &Range<u64>) -> Response<Body> {
    let mut response = octets(Body::blob(source(blob.content), range.clone()));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let content_range = format_args!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), blob.size);
    response.headers_mut().insert(CONTENT_RANGE, header::value(content_range));
    response
}

fn parts(blob: BlobHandle, ranges: &[Range<u64>]) -> Response<Body> {
    // Random, so that no blob can be made to contain it.
    let boundary = Uuid::new_v4().simple().to_string();
    let content_type = header::value(format_args!("multipart/byteranges; boundary={boundary}"));
    let body = Body::multipart(&source(blob.content), blob.size, ranges, &boundary);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn octets(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type::OCTET_STREAM));
    response
}

fn describe(
    call: &Call<'_>,
    named: Named,
    freshness: Freshness,
    mut response: Response<Body>,
) -> Response<Body> {
    call.label(&mut response, freshness);
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    named.insert_into(headers, header::immutable(&call.caller));
    response
}

fn source(content: BlobContent) -> Source {
    match content {
        BlobContent::Inline(bytes) => Source::Inline(bytes),
        BlobContent::Stored(reader) => Source::Stored(reader),
    }
}
