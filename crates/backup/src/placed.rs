//! Bytes that go straight into another store, long before the rows that will name them: for a move with a short switch.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_blobs::{Blobs, Location};
use berth_oci::Digest;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::content::{Kept, blocking, publish};
use crate::error::{At as _, Result};

/// What lies in the other store, noted in a file so that a move that was interrupted goes on.
#[derive(Debug)]
pub struct Placed {
    store: Arc<dyn Blobs>,
    path: PathBuf,
    known: Mutex<HashMap<Digest, Line>>,
    file: Arc<Mutex<File>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    digest: Digest,
    size: u64,
    location: Location,
}

impl Placed {
    /// Opens or makes the file that notes what lies in `store`. Each store wants a file of its own.
    pub fn open(path: &Path, store: Arc<dyn Blobs>) -> Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).at("open", path)?;
        let mut known = HashMap::new();
        for line in BufReader::new(&file).lines() {
            // A line that a crash cut short stands for bytes that are copied again.
            if let Ok(line) = serde_json::from_str::<Line>(&line.at("read", path)?) {
                known.insert(line.digest, line);
            }
        }
        // Whatever was cut short must not run into the next line.
        (&file).write_all(b"\n").at("write", path)?;
        let file = Arc::new(Mutex::new(file));
        Ok(Self { store, path: path.to_owned(), known: Mutex::new(known), file })
    }

    pub(crate) fn has(&self, digest: &Digest, size: u64) -> bool {
        self.known.lock().get(digest).is_some_and(|line| line.size == size)
    }

    /// Finds a blob, and looks whether it is still there.
    pub(crate) async fn find(&self, digest: &Digest, size: u64) -> Result<Kept<Location>> {
        let location = self.known.lock().get(digest).map(|line| line.location.clone());
        let Some(location) = location else { return Ok(Kept::Damaged("its bytes were not copied".into())) };
        match self.store.open_uncached(&location).await {
            Ok(reader) if reader.size() == size => Ok(Kept::Whole(location)),
            Ok(_) | Err(berth_blobs::Error::NotFound) => {
                Ok(Kept::Damaged("its bytes are gone from the new store".into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Copies a blob from another store, compares it with its digest, publishes and notes it.
    pub(crate) async fn bring(
        &self,
        from: &dyn Blobs,
        location: &Location,
        digest: &Digest,
        size: u64,
    ) -> Result<Kept<()>> {
        let reader = match from.open_uncached(location).await {
            Err(berth_blobs::Error::NotFound) => return Ok(Kept::Damaged("its bytes are gone".into())),
            opened => opened?,
        };
        if reader.size() != size {
            return Ok(Kept::Damaged(format!("{} bytes lie where {size} should", reader.size())));
        }
        match publish(reader.as_ref(), self.store.as_ref(), digest, size).await? {
            Kept::Whole((upload, location)) => {
                self.note(Line { digest: *digest, size, location }).await?;
                self.store.discard(&upload).await?;
                Ok(Kept::Whole(()))
            }
            Kept::Damaged(reason) => Ok(Kept::Damaged(reason)),
        }
    }

    async fn note(&self, line: Line) -> Result<()> {
        let mut text = serde_json::to_vec(&line).map_err(std::io::Error::from).at("write", &self.path)?;
        text.push(b'\n');
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        blocking(move || {
            let mut file = file.lock();
            file.write_all(&text).and_then(|()| file.sync_data()).at("write", &path)
        })
        .await?;
        self.known.lock().insert(line.digest, line);
        Ok(())
    }
}
