//! Says which calls of a store fail, when and how.

use std::{future, io, sync::Arc};

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::{Error, Result};

/// Names a call that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`Blobs::writer`](crate::Blobs::writer)
    Writer,
    /// [`BlobWriter::write`](crate::BlobWriter::write)
    Write,
    /// [`BlobWriter::finish`](crate::BlobWriter::finish) and [`seal`](crate::BlobWriter::seal)
    Finish,
    /// [`Blobs::publish`](crate::Blobs::publish)
    Publish,
    /// [`Blobs::discard`](crate::Blobs::discard) and [`sweep`](crate::Blobs::sweep)
    Discard,
    /// [`Blobs::open`](crate::Blobs::open) and [`open_uncached`](crate::Blobs::open_uncached)
    Open,
    /// [`BlobReader::read`](crate::BlobReader::read) and [`read_some`](crate::BlobReader::read_some); `try_read` then returns `None`
    Read,
    /// [`Blobs::size`](crate::Blobs::size)
    Size,
    /// [`Blobs::delete`](crate::Blobs::delete)
    Delete,
    /// [`Blobs::sync_deletions`](crate::Blobs::sync_deletions)
    SyncDeletions,
    /// [`Blobs::leftovers`](crate::Blobs::leftovers) and [`leftover`](crate::Blobs::leftover)
    Leftovers,
    /// [`Blobs::link`](crate::Blobs::link)
    Link,
    /// [`Blobs::scan`](crate::Blobs::scan) and [`scan_uploads`](crate::Blobs::scan_uploads)
    Scan,
    /// [`Blobs::capacity`](crate::Blobs::capacity)
    Capacity,
}

/// Says how a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The disk is full: `ENOSPC`.
    Full,
    /// The disk is broken: `EIO`.
    Broken,
    /// The blob is gone.
    NotFound,
    /// The upload is gone.
    UploadLost,
    /// The blob's file ends at this byte.
    Truncated(u64),
    /// The store can't be reached.
    Unavailable,
    /// The call never returns.
    Hangs,
}

impl Failure {
    /// Returns the error, or doesn't return.
    pub(super) async fn fail<T>(self) -> Result<T> {
        Err(match self {
            Self::Full => Error::Full,
            Self::Broken => Error::Io(io::Error::from(Errno::IO), "fault injected by a test".to_owned()),
            Self::NotFound => Error::NotFound,
            Self::UploadLost => Error::UploadLost,
            Self::Truncated(stored) => Error::Truncated { stored, expected: u64::MAX },
            Self::Unavailable => Error::Unavailable("fault injected by a test".to_owned()),
            Self::Hangs => future::pending().await,
        })
    }
}

/// Is one planned failure: by default the next call fails, once, and does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    operation: Operation,
    failure: Failure,
    bytes: u64,
    calls: u64,
    times: u64,
    late: bool,
}

impl Fault {
    /// Plans that the next call of an operation fails.
    pub fn new(operation: Operation, failure: Failure) -> Self {
        Self { operation, failure, bytes: 0, calls: 0, times: 1, late: false }
    }

    /// Lets this many bytes be written or read first, by all writers or readers together. The write that would cross the
    /// boundary writes up to it.
    #[must_use]
    pub fn after_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Lets this many calls succeed first.
    #[must_use]
    pub fn after_calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    /// Fails this often; `u64::MAX` is until the faults are cleared.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Lets the call do its work before it fails, like an answer that is lost.
    #[must_use]
    pub fn late(self) -> Self {
        Self { late: true, ..self }
    }
}

/// Is a failure that is due now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) failure: Failure,
    /// Bytes of this call that still succeed.
    pub(super) bytes: u64,
    pub(super) late: bool,
}

/// Holds planned failures; clones share them, so a test keeps one and gives the other to the store.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Fault>,
    fired: u64,
}

impl Faults {
    /// Plans a failure beside those planned already.
    pub fn plan(&self, fault: Fault) {
        self.0.lock().faults.push(fault);
    }

    /// Plans that the next call of an operation fails.
    pub fn fail(&self, operation: Operation, failure: Failure) {
        self.plan(Fault::new(operation, failure));
    }

    /// Forgets all planned failures.
    pub fn clear(&self) {
        self.0.lock().faults.clear();
    }

    /// Returns how many calls have failed.
    pub fn fired(&self) -> u64 {
        self.0.lock().fired
    }

    /// Says whether anything is planned for an operation.
    pub(super) fn planned(&self, operation: Operation) -> bool {
        self.0.lock().faults.iter().any(|fault| fault.operation == operation)
    }

    /// Counts a call that moves `bytes` and returns its failure, if it is to fail.
    pub(super) fn next(&self, operation: Operation, bytes: u64) -> Option<Due> {
        let plan = &mut *self.0.lock();
        for (index, fault) in plan.faults.iter_mut().enumerate() {
            if fault.operation != operation {
                continue;
            }
            if fault.calls > 0 {
                fault.calls -= 1;
                continue;
            }
            if fault.bytes > 0 && fault.bytes >= bytes {
                fault.bytes -= bytes;
                continue;
            }
            let due = Due { failure: fault.failure, bytes: fault.bytes, late: fault.late };
            fault.bytes = 0;
            fault.times = fault.times.saturating_sub(1);
            if fault.times == 0 {
                plan.faults.remove(index);
            }
            plan.fired += 1;
            return Some(due);
        }
        None
    }
}
