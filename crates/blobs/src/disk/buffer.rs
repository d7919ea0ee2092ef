//! Keeps large read buffers for their next use.
//!
//! A fresh buffer costs its zeroing or its page faults, more than reading into it does. One that was just sent is still
//! in the processor's cache and, having been initialised once, needs no `unsafe` to be read into.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::READ_BYTES;

/// Buffers kept at most: 8 MiB in all.
const KEPT: usize = 32;
/// Reads up to this size get a buffer of their own that is freed after use.
const SMALL: usize = READ_BYTES / 4;

/// Lends buffers.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<Vec<Box<[u8]>>>,
}

impl Pool {
    /// Returns a buffer with room for `len` bytes, of unspecified content.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        if len <= SMALL || len > READ_BYTES {
            return Buffer { bytes: zeroed(len), len, pool: None };
        }
        let kept = self.free.lock().pop();
        Buffer { bytes: kept.unwrap_or_else(|| zeroed(READ_BYTES)), len, pool: Some(Arc::clone(self)) }
    }
}

fn zeroed(len: usize) -> Box<[u8]> {
    vec![0; len].into_boxed_slice()
}

/// Is lent memory that returns to its pool when the last reference to its bytes goes.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    pool: Option<Arc<Pool>>,
}

impl Buffer {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Returns the first `filled` bytes.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.len = self.len.min(filled);
        if self.pool.is_none() {
            let mut bytes = Bytes::from(std::mem::take(&mut self.bytes));
            bytes.truncate(self.len);
            return bytes;
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let mut free = pool.free.lock();
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_come_back_and_small_ones_do_not() {
        let pool = Arc::new(Pool::default());
        let mut buffer = pool.take(READ_BYTES);
        buffer.as_mut()[..3].copy_from_slice(b"abc");
        let bytes = buffer.freeze(3);
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!(pool.free.lock().len(), 0, "a slice still refers to it");
        assert_eq!(part, "bc");
        drop(part);
        assert_eq!(pool.free.lock().len(), 1);
        assert_eq!(pool.take(READ_BYTES - 1).as_mut().len(), READ_BYTES - 1);
        assert_eq!(pool.free.lock().len(), 1);

        assert_eq!(pool.take(10).freeze(4), vec![0; 4]);
        assert_eq!(pool.take(READ_BYTES * 3).as_mut().len(), READ_BYTES * 3);
        let many: Vec<_> = (0..KEPT * 2).map(|_| pool.take(READ_BYTES)).collect();
        drop(many);
        assert_eq!(pool.free.lock().len(), KEPT);
    }
}
