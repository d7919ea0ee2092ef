//! Stores bytes: where blobs and unfinished uploads lie, never what they mean.
//!
//! [`Blobs`] is the interface every store implements; [`Disk`] keeps a local directory, [`Bucket`] a bucket
//! of an S3 service. [`Metered`], [`Cached`], [`Foreign`] and the
//! `testing` module's `Faulty` wrap any store, and `testing::conformance` is the suite each of them passes.
//! [`Shelf`] keeps named objects for those who have no catalog: backups, and what other registries left.
//! Nothing here knows repositories, links or the catalog: callers keep a [`Location`] in their own records and
//! decide when it dies.

mod blobs;
mod bucket;
mod cached;
mod disk;
mod error;
mod foreign;
mod hasher;
mod location;
mod metered;
mod shelf;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod upload_id;

pub use blobs::{BlobReader, BlobWriter, Blobs, Capacity, Leftover, Progress};
pub use bucket::{Bucket, BucketConfig, Credentials, Encryption};
pub use cached::{CacheStats, Cached};
pub use disk::{Disk, READ_BYTES};
pub use error::{Error, Result};
pub use foreign::{Elsewhere, Foreign, Listing, Object, Objects};
pub use hasher::Hasher;
pub use location::Location;
pub use metered::Metered;
pub use shelf::{Children, Shelf, ShelfLock, ShelfObject, ShelfWriter};
pub use upload_id::{InvalidUploadId, UploadId};
