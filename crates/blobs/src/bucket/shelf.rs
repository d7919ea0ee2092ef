//! What lies below a prefix of a bucket as a shelf: each object is there when its last request has been answered.

use std::{fmt, mem, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::BoxStream};
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _, path::Path};
use tokio::task::JoinSet;

use super::{Bucket, Inner, error::map, reader::BucketReader};
use crate::{
    BlobReader, BucketConfig, Error, Result,
    shelf::{Children, OWN, ShelfObject},
};

/// Bytes of one part of a large object, unless it is so large that it would have too many.
const PART_BYTES: u64 = 8 << 20;
/// Parts that an object of known size is cut into at most; services join 10,000.
const MOST_PARTS: u64 = 9_000;
/// Parts of one object on their way, while the next one fills.
const PARTS_IN_FLIGHT: usize = 2;

/// A prefix; clones share the client.
#[derive(Clone)]
pub(crate) struct Prefix {
    pub(super) inner: Arc<Inner>,
    bucket: String,
    /// Empty, or with a slash at its end.
    before: String,
}

impl Prefix {
    pub(crate) fn of(bucket: &Bucket, config: &BucketConfig) -> Self {
        let before = if config.prefix.is_empty() { String::new() } else { format!("{}/", config.prefix) };
        Self { inner: Arc::clone(&bucket.0), bucket: config.name.clone(), before }
    }

    pub(super) fn key(&self, name: &str) -> Result<Path> {
        Path::parse(format!("{}{name}", self.before)).map_err(|_| Error::InvalidLocation(name.to_owned()))
    }

    /// Reads a key; `None` for one that is no object of the shelf.
    fn object(&self, key: &Path, size: u64) -> Option<ShelfObject> {
        let name = key.as_ref().strip_prefix(&self.before)?;
        let top = name.split('/').next().unwrap_or_default();
        (!OWN.contains(&top)).then(|| ShelfObject { name: name.to_owned(), size })
    }

    pub(crate) fn list(&self, folder: &str) -> BoxStream<'static, Result<ShelfObject>> {
        let this = self.clone();
        let key = match self.key(folder) {
            Ok(key) => key,
            Err(error) => return futures_util::stream::once(async { Err(error) }).boxed(),
        };
        let listed = self.inner.store.list(Some(&key));
        listed
            .filter_map(move |listed| {
                let object = match listed {
                    Ok(meta) => this.object(&meta.location, meta.size).map(Ok),
                    Err(error) => Some(Err(map(error, "list the bucket"))),
                };
                std::future::ready(object)
            })
            .boxed()
    }

    pub(crate) async fn children(&self, folder: &str) -> Result<Children> {
        let key = self.key(folder)?;
        let listed = self.inner.store.list_with_delimiter(Some(&key)).await;
        let listed = listed.map_err(|error| map(error, "list the bucket"))?;
        let is_own = |name: &String| folder.is_empty() && OWN.contains(&name.as_str());
        let folders = listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned));
        Ok(Children {
            folders: folders.filter(|name| !is_own(name)).collect(),
            objects: listed
                .objects
                .iter()
                .filter_map(|meta| self.object(&meta.location, meta.size))
                .collect(),
        })
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        match self.inner.read_object(&self.key(name)?, "read an object").await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn open(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        Ok(Arc::new(BucketReader::open(&self.inner, self.key(name)?).await?))
    }

    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>> {
        self.inner.size(&self.key(name)?).await
    }

    pub(crate) fn writer(&self, name: &str, size_bytes: u64) -> Result<PrefixWriter> {
        let part_bytes = PART_BYTES.max(size_bytes.div_ceil(MOST_PARTS));
        Ok(PrefixWriter {
            inner: Arc::clone(&self.inner),
            key: self.key(name)?,
            part_bytes: usize::try_from(part_bytes).unwrap_or(usize::MAX),
            tail: BytesMut::new(),
            upload: None,
            flights: JoinSet::new(),
        })
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete_object(&self.key(name)?).await
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.before.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{prefix}", self.bucket)
    }
}

/// Writes one object: in one request if it is small, in parts otherwise.
#[derive(Debug)]
pub(crate) struct PrefixWriter {
    inner: Arc<Inner>,
    key: Path,
    part_bytes: usize,
    tail: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
    flights: JoinSet<object_store::Result<()>>,
}

impl PrefixWriter {
    pub(crate) async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        while !chunk.is_empty() {
            // A full part waits for more: the last one must not be empty.
            if self.tail.len() >= self.part_bytes {
                self.send().await?;
            }
            let room = (self.part_bytes - self.tail.len()).min(chunk.len());
            self.tail.extend_from_slice(&chunk.split_to(room));
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        while self.flights.len() >= PARTS_IN_FLIGHT {
            self.land().await?;
        }
        if self.upload.is_none() {
            let started = self.inner.store.put_multipart(&self.key).await;
            self.upload = Some(started.map_err(|error| map(error, "start an upload in parts"))?);
        }
        if let Some(upload) = &mut self.upload {
            self.flights.spawn(upload.put_part(mem::take(&mut self.tail).freeze().into()));
        }
        Ok(())
    }

    /// Waits for a part to arrive.
    async fn land(&mut self) -> Result<()> {
        match self.flights.join_next().await {
            None => Ok(()),
            Some(Ok(landed)) => landed.map_err(|error| map(error, "send a part")),
            Some(Err(error)) => Err(Error::Io(error.into(), "the task of a part ended early".into())),
        }
    }

    pub(crate) async fn finish(mut self) -> Result<()> {
        match self.finish_parts().await {
            Err(error) => {
                self.discard().await;
                Err(error)
            }
            finished => finished,
        }
    }

    async fn finish_parts(&mut self) -> Result<()> {
        if self.upload.is_none() {
            let content = mem::take(&mut self.tail).freeze();
            return self.inner.write_object(&self.key, content.into(), "write an object").await;
        }
        self.send().await?;
        while !self.flights.is_empty() {
            self.land().await?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        upload.complete().await.map(drop).map_err(|error| map(error, "join the parts of an object"))
    }

    pub(crate) async fn discard(mut self) {
        self.flights.shutdown().await;
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::debug!(key = %self.key, %error, "the parts of an object stay for the bucket's lifecycle rule");
        }
    }
}
