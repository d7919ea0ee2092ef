//! Finds where the blobs of the other store lie.

use berth_blobs::Foreign;
use berth_catalog::blob::Placement;
use berth_oci::{Algorithm, Digest};
use bytes::Bytes;

use super::layout::OldStore;
use crate::Result;

/// A blob's size in bytes and its place, or why it counts as missing.
pub(super) type Placed = Result<(u64, Placement), String>;

/// Finds where a blob lies. One of up to `inline_bytes` comes along, compared with its digest. `size` is what a descriptor says, if
/// there is one: it saves a request, and has to be right.
pub(super) async fn place(
    old: &OldStore,
    digest: &Digest,
    size: Option<u64>,
    inline_bytes: usize,
) -> Result<Placed> {
    let inline = inline_bytes as u64;
    let looked = match size {
        Some(size) if size <= inline => old.content(digest, inline).await?,
        _ => old.size(digest).await?.map(|found| (found, None)),
    };
    let Some((found, content)) = looked else { return Ok(Err("is missing".to_owned())) };
    if let Some(size) = size.filter(|size| *size != found) {
        return Ok(Err(format!("has {found} bytes where {size} are due")));
    }
    if found == 0 && *digest != Digest::of(Algorithm::Sha256, b"") {
        return Ok(Err("has no bytes".to_owned()));
    }
    if found > inline {
        return Ok(Ok((found, Placement::Stored(Foreign::location(digest).into()))));
    }
    let content = match content {
        Some(content) => content,
        None => old.content(digest, inline).await?.and_then(|(_, content)| content).unwrap_or_default(),
    };
    Ok(compared(digest, content).map(|content| (found, Placement::Inline(content))))
}

fn compared(digest: &Digest, content: Bytes) -> Result<Bytes, String> {
    if Digest::of(digest.algorithm(), &content) == *digest {
        return Ok(content);
    }
    Err("does not match its digest".to_owned())
}
