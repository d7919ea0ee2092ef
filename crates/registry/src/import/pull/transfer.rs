//! The bytes of one blob: small ones at once, large ones in steps that outlive a break, a stop and the death of the process.

use std::time::Duration;

use berth_blobs::UploadId;
use berth_client::Body;
use berth_oci::Descriptor;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};

use super::fault::Fault;
use super::{Pulling, Source};
use crate::{BodyError, BodyResult, Error, Result};

/// Blobs up to this size come in one piece, or again from their first byte.
const AT_ONCE: u64 = 8 << 20;
/// Bytes of a large blob that are acknowledged together: what a death of the process costs.
const STEP: u64 = 32 << 20;
/// Breaks in a row without a byte in between.
const BREAKS: u32 = 5;

impl Pulling {
    /// Fetches a blob. Returns false if the other registry does not have it.
    pub(super) async fn transfer(&self, source: &Source, descriptor: &Descriptor) -> Result<bool, Fault> {
        if descriptor.size > AT_ONCE {
            return self.transfer_in_steps(source, descriptor).await;
        }
        let mut breaks = 0;
        loop {
            let Some(body) = self.upstream.blob(&source.from, &descriptor.digest, 0, None).await? else {
                return Ok(false);
            };
            let bytes = self.stream(body, 0, descriptor.size);
            match self.registry.push_blob(&source.push, bytes, &descriptor.digest).await {
                Ok(()) => return Ok(true),
                Err(Error::Body(error)) => self.rest_after_break(&mut breaks, &error).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn transfer_in_steps(&self, source: &Source, descriptor: &Descriptor) -> Result<bool, Fault> {
        let (size, digest) = (descriptor.size, &descriptor.digest);
        let (id, mut offset) = self.session(source, descriptor).await?;
        let mut breaks = 0;
        loop {
            self.check_stop()?;
            if offset > size {
                self.registry.cancel_upload(&source.push, &id).await?;
                return Err(Fault::Refused(format!(
                    "blob {digest} has more than the {size} bytes that it should"
                )));
            }
            let rest = size - offset;
            let (step, is_last) = (rest.min(STEP), rest <= STEP);
            let bytes = if rest == 0 {
                stream::empty().boxed()
            } else {
                let len = (!is_last).then_some(step);
                match self.upstream.blob(&source.from, digest, offset, len).await? {
                    Some(body) => self.stream(body, offset, rest),
                    None => return Ok(false),
                }
            };
            let ended = if is_last {
                self.registry.finish_upload(&source.push, &id, None, bytes, digest).await.map(|()| size)
            } else {
                self.registry.append_upload(&source.push, &id, None, bytes).await.map(|upload| upload.offset)
            };
            match ended {
                Ok(_) if is_last => break,
                // A registry that knows no ranges sends all that is left.
                Ok(to) if to > offset => (offset, breaks) = (to, 0),
                Ok(_) => self.rest_after_break(&mut breaks, &BodyError("nothing came".to_owned())).await?,
                Err(Error::Body(error)) => {
                    let stands = self.registry.upload_status(&source.push, &id).await?.offset;
                    if stands > offset {
                        (offset, breaks) = (stands, 0);
                    }
                    self.rest_after_break(&mut breaks, &error).await?;
                    self.tally(|report| report.resumed += 1);
                }
                Err(error) => return Err(self.give_up(source, descriptor, error)),
            }
        }
        self.standing.lock().uploads.remove(&key(source, descriptor));
        Ok(true)
    }

    fn give_up(&self, source: &Source, descriptor: &Descriptor, error: Error) -> Fault {
        // Its session has ended.
        if matches!(error, Error::DigestMismatch { .. } | Error::UploadUnknown(_)) {
            self.standing.lock().uploads.remove(&key(source, descriptor));
        }
        error.into()
    }

    /// Goes on with the upload that an earlier try began, or begins one. Returns how far it has come.
    async fn session(&self, source: &Source, descriptor: &Descriptor) -> Result<(UploadId, u64), Fault> {
        let key = key(source, descriptor);
        let known = self.standing.lock().uploads.get(&key).copied();
        if let Some(id) = known {
            match self.registry.upload_status(&source.push, &id).await {
                Ok(upload) => {
                    self.tally(|report| report.resumed += u64::from(upload.offset > 0));
                    return Ok((id, upload.offset));
                }
                Err(Error::UploadUnknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let upload = self.registry.start_upload(&source.push, Some(descriptor.digest.algorithm())).await?;
        self.standing.lock().uploads.insert(key, upload.id);
        Ok((upload.id, 0))
    }

    /// Makes the body of a push: from `offset` on, ended when the work should stop or more comes than should.
    fn stream(&self, body: Body, offset: u64, most: u64) -> BoxStream<'static, BodyResult> {
        let mut skip = offset.saturating_sub(body.offset);
        let (stop, mut left) = (self.stop.clone(), most);
        let chunks = body.bytes.map(move |chunk| {
            let mut chunk = chunk.map_err(|error| BodyError(error.to_string()))?;
            if *stop.borrow() {
                return Err(BodyError("the work was asked to stop".to_owned()));
            }
            let skipped = skip.min(chunk.len() as u64);
            skip -= skipped;
            drop(chunk.split_to(usize::try_from(skipped).unwrap_or(chunk.len())));
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => left = rest,
                None => return Err(BodyError("more bytes come than the manifest says".to_owned())),
            }
            Ok::<Bytes, BodyError>(chunk)
        });
        // Nothing is asked for behind an error.
        let ended = stream::unfold(Some(chunks.boxed()), |open| async move {
            let mut open = open?;
            let chunk = open.next().await?;
            let rest = chunk.is_ok().then_some(open);
            Some((chunk, rest))
        });
        ended.boxed()
    }

    async fn rest_after_break(&self, breaks: &mut u32, error: &BodyError) -> Result<(), Fault> {
        self.check_stop()?;
        *breaks += 1;
        if *breaks >= BREAKS {
            return Err(Fault::Refused(error.to_string()));
        }
        tracing::debug!(%error, breaks, "a transfer broke off, going on");
        tokio::time::sleep(Duration::from_millis(100) * *breaks).await;
        Ok(())
    }
}

fn key(source: &Source, descriptor: &Descriptor) -> String {
    format!("{}@{}", source.to, descriptor.digest)
}
