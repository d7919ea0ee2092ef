//! The list of manifests that refer to a subject (end-12).

use berth_access::Pull;
use berth_oci::{Descriptor, Digest, RepositoryName, media_type};
use berth_registry::{Error, Page as Found};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, LINK};
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::Refusal;
use super::query::Page;
use super::{Answer, Call, header};

/// An image index made for this response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Box<RawValue>],
}

pub(super) async fn list(
    call: &Call<'_>,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    page: Page<Digest>,
) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let n = page.capped(call.app.config.limits.referrers_page);
    let found = call.registry().list_referrers(&permit, subject, artifact_type, page.last.as_ref(), n).await;
    let found = match found {
        // A repository that nothing was pushed to has no referrers; 404 would mean that there is no such API.
        Err(Error::NameUnknown(_)) => Found { items: Vec::new(), more: false },
        found => found?,
    };
    let limit = call.registry().config().limits.manifest_bytes;
    let (manifests, last) = fitting(&found, limit)?;
    let index = Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: &manifests };
    let mut response = header::json(&index);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type::OCI_INDEX));
    if artifact_type.is_some() {
        headers.insert(&header::OCI_FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = last {
        headers.insert(LINK, next(call, repository, subject, artifact_type, n, &last));
    }
    Ok(response)
}

/// As many descriptors as fit into a manifest of `limit` bytes, at least one, and the last one's digest if more follow.
/// Annotations are as large as whoever pushed the referrers wished, and clients read no larger index.
fn fitting(found: &Found<Descriptor>, limit: usize) -> Result<(Vec<Box<RawValue>>, Option<Digest>), Refusal> {
    let mut manifests = Vec::with_capacity(found.items.len());
    let mut length = 100;
    for descriptor in &found.items {
        let json =
            serde_json::value::to_raw_value(descriptor).map_err(|error| Error::Internal(error.into()))?;
        length += json.get().len() + 1;
        if length > limit && !manifests.is_empty() {
            break;
        }
        manifests.push(json);
    }
    let more = found.more || manifests.len() < found.items.len();
    let last = manifests.len().checked_sub(1).filter(|_| more).map(|last| found.items[last].digest);
    Ok((manifests, last))
}

fn next(
    call: &Call<'_>,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    n: usize,
    last: &Digest,
) -> HeaderValue {
    let (n, last) = (n.to_string(), last.to_string());
    let mut parameters = vec![("n", n.as_str()), ("last", last.as_str())];
    parameters.extend(artifact_type.map(|filter| ("artifactType", filter)));
    call.locations.next(format_args!("{repository}/referrers/{subject}"), &parameters)
}
