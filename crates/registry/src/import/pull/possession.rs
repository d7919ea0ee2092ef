//! A blob that another repository here has is linked, once the other registry has shown that it has it too.
//!
//! A digest alone proves nothing: a manifest there could name the layer of a private repository here, and so make it readable in another.
//! So a part of the blob, picked at random, is fetched and compared.

use berth_access::{Permit, Pull};
use berth_oci::{Descriptor, RepositoryName};
use bytes::BytesMut;
use futures_util::TryStreamExt as _;

use super::fault::Fault;
use super::{Pulling, Source};
use crate::pull::BlobContent;
use crate::{Error, Result};

/// Bytes compared.
const SAMPLE: u64 = 64 << 10;

impl Pulling {
    /// Links a blob from the repository that holds it here. Returns false if it has to be fetched.
    pub(super) async fn link(
        &self,
        source: &Source,
        holder: &RepositoryName,
        descriptor: &Descriptor,
    ) -> Result<bool, Fault> {
        // What is that small is fetched as fast as it is compared.
        if descriptor.size <= 2 * SAMPLE {
            return Ok(false);
        }
        let permit: Permit<Pull> =
            self.operator.permit(holder).map_err(|_| Fault::Registry(Error::ReadOnly))?;
        let held = match self.registry.pull_blob(&permit, &descriptor.digest).await {
            Ok(held) if held.content.size == descriptor.size => held.content,
            Ok(_) | Err(Error::BlobUnknown { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let BlobContent::Stored(reader) = held.content else { return Ok(false) };
        let offset = random_below(descriptor.size - SAMPLE)?;
        let digest = &descriptor.digest;
        let Some(body) = self.upstream.blob(&source.from, digest, offset, Some(SAMPLE)).await? else {
            return Ok(false);
        };
        if body.offset != offset {
            return Ok(false);
        }
        let mut bytes = body.bytes;
        let mut theirs = BytesMut::new();
        while let Some(chunk) = bytes.try_next().await? {
            theirs.extend_from_slice(&chunk);
            if theirs.len() as u64 > SAMPLE {
                return Ok(false);
            }
        }
        let ours = reader.read(offset, theirs.len()).await.map_err(Error::from)?;
        if theirs.len() as u64 != SAMPLE || ours != theirs {
            return Ok(false);
        }
        Ok(self.registry.mount_blob(&source.push, &permit, digest).await?)
    }
}

fn random_below(bound: u64) -> Result<u64, Fault> {
    let random = getrandom::u64().map_err(|error| Fault::Registry(Error::Internal(Box::new(error))))?;
    Ok(random % bound.max(1))
}
