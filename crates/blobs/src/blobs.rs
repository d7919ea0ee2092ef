//! Declares what a store of blobs can do.

use std::{fmt::Debug, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_oci::{Algorithm, Digest};
use bytes::Bytes;
use jiff::Timestamp;

use crate::{Hasher, Location, Result, UploadId};

/// Stores blobs and the uploads that become blobs.
///
/// An upload is written ([`writer`](Self::writer)), perhaps in several goes, then published
/// ([`publish`](Self::publish)); the caller commits the location to its catalog and only then discards
/// ([`discard`](Self::discard)) the marker that the upload leaves, so that a crash at any moment leaves something that
/// [`leftovers`](Self::leftovers) or [`leftover`](Self::leftover) finds. The caller lets one writer at a time into an
/// upload; where several nodes share a store, one of several writers gets its bytes into the catalog and the others are lost.
#[async_trait]
pub trait Blobs: Send + Sync + Debug + 'static {
    /// Continues an upload at `progress.offset`, or starts it when that is 0; what is stored past it is cut off.
    ///
    /// An upload that was published is taken back, whether the publication failed, its commit failed, or the process ended in
    /// between. So a caller asks for a writer only while its catalog holds the upload as open, that is, its blob as not
    /// committed, and while no commit of it is under way in this process. A store of several nodes leaves the bytes at the
    /// old location, where another node may be committing them, and publishes to a new one.
    ///
    /// # Errors
    /// [`Error::UploadLost`](crate::Error::UploadLost) when fewer than `progress.offset` bytes are stored,
    /// [`Error::UploadBusy`](crate::Error::UploadBusy) when an earlier writer doesn't let go within seconds.
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>>;

    /// Makes a blob of a finished upload. Its bytes and its name are durable when the location is returned; until
    /// [`discard`](Self::discard) a marker records it as a leftover. Repeating a publication returns the same location.
    ///
    /// The caller has compared the digest with the hasher's; the store doesn't hash again. It publishes and commits in a
    /// task that no dropped request cancels, and lets no writer in before that has ended; if it gives up in between, it
    /// deletes the location, then discards the upload.
    ///
    /// # Errors
    /// [`Error::UploadLost`](crate::Error::UploadLost) when nothing is stored for the upload.
    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location>;

    /// Makes a file that lies outside the store the bytes of a new upload, without copying them; what the caller knows of the file's
    /// content it has hashed itself. Returns false where that is not possible, as across file systems: copy it through a
    /// [`writer`](Self::writer). The file keeps its name, and must not change any more. Publish the upload or discard it; a writer
    /// would write into the file.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such file.
    async fn adopt(&self, _upload: &UploadId, _file: &Path) -> Result<bool> {
        Ok(false)
    }

    /// Removes what an upload left, bytes and marker, but never a published blob. Does nothing where nothing is left.
    async fn discard(&self, upload: &UploadId) -> Result<()>;

    /// Opens a published blob. The caller knows its size and compares: a file that lost its end still opens.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when it is gone.
    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>>;

    /// Returns the size in bytes of a published blob as it is stored, past every cache and without reading it.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when it is gone.
    async fn size(&self, location: &Location) -> Result<u64> {
        Ok(self.open_uncached(location).await?.size())
    }

    /// Removes a published blob and returns the bytes freed, `None` when it was gone. Readers that are open may go on
    /// reading. A power loss may bring it back until [`sync_deletions`](Self::sync_deletions).
    async fn delete(&self, location: &Location) -> Result<Option<u64>>;

    /// Makes the deletion of these blobs durable, of those that were gone before too: only then may a caller forget that
    /// they had to go. Fastest for neighbours in the order of locations.
    async fn sync_deletions(&self, locations: &[Location]) -> Result<()>;

    /// Lists what uploads left, in the order of their identifiers, for the repair at start-up:
    ///
    /// - the catalog holds the upload as open: call [`writer`](Self::writer) and drop it, which takes back a
    ///   publication that was not committed and cuts off what was not acknowledged;
    /// - else, a blob in the catalog lies at the location: [`discard`](Self::discard) the upload;
    /// - else [`delete`](Self::delete) the location, if there is one, then [`discard`](Self::discard) the upload.
    ///
    /// Empty for a store that can't list cheaply, see [`lists_leftovers`](Self::lists_leftovers).
    async fn leftovers(&self) -> Result<Vec<Leftover>>;

    /// Says whether [`leftovers`](Self::leftovers) finds everything. If not, the caller gives every upload a row in its
    /// catalog before the first byte is written, and asks for each [`leftover`](Self::leftover) by name.
    fn lists_leftovers(&self) -> bool {
        true
    }

    /// Returns what one upload left, `None` if that is nothing. The location may be that of a blob that is committed: the
    /// caller asks its catalog before it deletes. Where deleting it brings up another, the caller asks again.
    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>>;

    /// Returns the upload that brought what lies at a location; `None` if the location is not one of this store.
    fn upload_of(&self, location: &Location) -> Option<UploadId>;

    /// Returns an address from which anybody may fetch a published blob with a GET, as long as it is valid; `None` if the
    /// store has no such addresses. Doesn't ask whether the blob is there.
    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>>;

    /// Opens a published blob past every cache: for those who ask how the stored bytes are.
    async fn open_uncached(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        self.open(location).await
    }

    /// Lists up to `limit` published blobs and their sizes in bytes, in the order of their locations, beginning behind
    /// `after`. It walks the store: for a scrub only.
    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>>;

    /// Lists up to `limit` uploads of which something lies in the store beside published blobs, in the order of their
    /// identifiers, beginning behind `after`, each with the time when something was added last, by the store's clock. It walks the store: for a scrub only. Empty for a store whose
    /// [`leftovers`](Self::leftovers) finds them all.
    async fn scan_uploads(
        &self,
        _after: Option<&UploadId>,
        _limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        Ok(Vec::new())
    }

    /// Removes what an upload left, as [`discard`](Self::discard) does, and also what no note of the store's own tells of. It
    /// walks the store: for a scrub only, and only for an upload that has ended.
    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.discard(upload).await
    }

    /// Returns how much the store can hold and still take.
    async fn capacity(&self) -> Result<Capacity>;

    /// Finds out whether the store answers, past every cache.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) for a service that is away, which others miss as well; another error for
    /// what is wrong here.
    async fn check(&self) -> Result<()> {
        self.capacity().await.map(drop)
    }
}

/// Appends to one upload. Dropped without [`finish`](Self::finish), what it wrote is cut off by the next writer.
#[async_trait]
pub trait BlobWriter: Send {
    /// Takes the next bytes. They may be written later, and so may an earlier chunk's error be returned here; after an
    /// error the writer can't go on.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes everything durable, the upload's name included, and returns how far it reaches: the hasher has seen exactly
    /// the bytes from 0 to the offset.
    async fn finish(self: Box<Self>) -> Result<Progress>;

    /// Ends the upload: [`publish`](Blobs::publish), [`discard`](Blobs::discard) or another [`writer`](Blobs::writer) of the
    /// same process follows, and a store may wait with its last bytes until then. They are no progress to acknowledge.
    async fn seal(self: Box<Self>) -> Result<Progress> {
        self.finish().await
    }
}

/// Reads one published blob, at any position, by any number of callers at once.
#[async_trait]
pub trait BlobReader: Send + Sync + Debug {
    /// Returns the blob's size in bytes, as it was when it was opened.
    fn size(&self) -> u64;

    /// Reads up to `len` bytes at `offset` if that doesn't have to wait; `None` if it would. May return fewer bytes, but
    /// at least one before the end of the blob.
    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>>;

    /// Reads `len` bytes at `offset`, fewer only at the end of the blob.
    ///
    /// # Errors
    /// [`Error::Truncated`](crate::Error::Truncated) when less is stored than [`size`](Self::size) says.
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes>;

    /// Reads what comes next at `offset`: up to `len` bytes, at least one before the end of the blob. Cheaper than
    /// [`read`](Self::read) where bytes come in pieces that would have to be joined.
    async fn read_some(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.read(offset, len).await
    }
}

/// Says how far an upload has come: `hasher` has seen exactly the first `offset` bytes.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Bytes that are durable.
    pub offset: u64,
    /// The state of the hash over them.
    pub hasher: Hasher,
}

impl Progress {
    /// Returns the progress of an upload that has no bytes yet.
    pub fn start(algorithm: Algorithm) -> Self {
        Self { offset: 0, hasher: Hasher::new(algorithm) }
    }
}

/// Names what one upload left in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The upload.
    pub upload: UploadId,
    /// Where it was being published to, if it was; a blob may or may not have arrived there.
    pub location: Option<Location>,
}

/// Says how much a store can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes the store can hold in all.
    pub total_bytes: u64,
    /// Bytes it can still take.
    pub available_bytes: u64,
}
