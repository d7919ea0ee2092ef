//! Room: uploads stop before the disk is full to the last byte, so that the catalog can still write, and garbage can go.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::{Error, Registry, Result};

/// How long an answer about the disk is believed.
const FRESH: Duration = Duration::from_secs(1);
/// The reserve is never more than this part of the disk, so that a small one is of use too.
const LARGEST_PART: u64 = 50;
/// Bytes of one upload between two looks.
pub(crate) const LOOK_BYTES: u64 = 16 << 20;

/// What was last known of the disk: when it was asked, and whether the reserve was untouched.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Option<(Instant, bool)>>);

impl Registry {
    /// Refuses bytes when they would come out of the reserve.
    pub(crate) async fn check_room(&self) -> Result<()> {
        let known = *self.0.room.0.lock();
        let has_room = match known {
            Some((at, has_room)) if at.elapsed() < FRESH => has_room,
            _ => self.look_for_room().await?,
        };
        if has_room { Ok(()) } else { Err(Error::StorageFull) }
    }

    async fn look_for_room(&self) -> Result<bool> {
        let capacity = self.0.blobs.capacity().await?;
        let reserve = self.0.config.storage.reserve_bytes.min(capacity.total_bytes / LARGEST_PART);
        let has_room = capacity.available_bytes >= reserve;
        *self.0.room.0.lock() = Some((Instant::now(), has_room));
        Ok(has_room)
    }
}
