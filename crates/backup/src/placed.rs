//! Bytes of blobs in the store that a registry moves to, and the note of them that lets a move which was interrupted go on.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_blobs::{Blobs, Location, UploadId};
use berth_catalog::moving::Stored;
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
    /// Uploads that began and were not noted as done.
    cut: Vec<UploadId>,
    file: Arc<Mutex<File>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    digest: Digest,
    size: u64,
    location: Location,
    /// The upload that brought them.
    upload: UploadId,
    /// Seen in the store since the file was opened.
    #[serde(skip)]
    seen: bool,
}

/// What is noted before bytes are copied.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    begun: UploadId,
}

impl Placed {
    /// Opens or makes the file that notes what lies in `store`. Each store wants a file of its own.
    pub fn open(path: &Path, store: Arc<dyn Blobs>) -> Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).at("open", path)?;
        let (mut known, mut cut) = (HashMap::new(), HashSet::new());
        for line in BufReader::new(&file).lines() {
            let line = line.at("read", path)?;
            // A line that a crash cut short stands for bytes that are copied again.
            if let Ok(line) = serde_json::from_str::<Line>(&line) {
                cut.remove(&line.upload);
                known.insert(line.digest, line);
            } else if let Ok(line) = serde_json::from_str::<Begun>(&line) {
                cut.insert(line.begun);
            }
        }
        let cut = cut.into_iter().collect();
        // Whatever was cut short must not run into the next line.
        (&file).write_all(b"\n").at("write", path)?;
        let file = Arc::new(Mutex::new(file));
        Ok(Self { store, path: path.to_owned(), known: Mutex::new(known), cut, file })
    }

    /// Removes what copies left that were cut short.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tidy(&self) -> Result<()> {
        for upload in &self.cut {
            while let Some(location) = self.store.leftover(upload).await?.and_then(|left| left.location) {
                self.store.delete(&location).await?;
            }
            self.store.discard(upload).await?;
        }
        Ok(())
    }

    /// Removes bytes that were copied and that no row names: their blob went before the switch. Nothing is noted any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn finish(&self, named: &HashSet<String>) -> Result<()> {
        let known: Vec<_> = self.known.lock().values().map(|line| line.location.clone()).collect();
        for location in known.iter().filter(|location| !named.contains(location.as_str())) {
            self.store.delete(location).await?;
        }
        std::fs::remove_file(&self.path).at("remove", &self.path)
    }

    /// Returns where a blob's bytes lie, if they are there.
    pub(crate) fn locate(&self, digest: &Digest, size: u64) -> Option<String> {
        let known = self.known.lock();
        known.get(digest).filter(|line| line.size == size).map(|line| line.location.as_str().to_owned())
    }

    /// Copies a blob from another store, unless it is there already.
    pub(crate) async fn ensure(&self, from: &dyn Blobs, blob: &Stored) -> Result<Kept<()>> {
        if self.is_there(blob).await? {
            return Ok(Kept::Whole(()));
        }
        if blob.damaged {
            return Ok(Kept::Damaged("it was known to be damaged".into()));
        }
        self.bring(from, &Location::from(blob.location.as_str()), &blob.digest, blob.size).await
    }

    /// Looks once whether a blob that is noted is still there.
    async fn is_there(&self, blob: &Stored) -> Result<bool> {
        let line = self.known.lock().get(&blob.digest).filter(|line| line.size == blob.size).cloned();
        let Some(line) = line else { return Ok(false) };
        if line.seen {
            return Ok(true);
        }
        let there = match self.store.open_uncached(&line.location).await {
            Ok(reader) => reader.size() == line.size,
            Err(berth_blobs::Error::NotFound) => false,
            Err(error) => return Err(error.into()),
        };
        let mut known = self.known.lock();
        if there {
            known.insert(line.digest, Line { seen: true, ..line });
        } else {
            known.remove(&line.digest);
        }
        Ok(there)
    }

    /// Copies a blob from another store, compares it with its digest, publishes and notes it.
    async fn bring(
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
        let upload = UploadId::random();
        self.append(&Begun { begun: upload }, false).await?;
        match publish(reader.as_ref(), self.store.as_ref(), upload, (digest, size)).await? {
            Kept::Whole((upload, location)) => {
                self.note(Line { digest: *digest, size, location, upload, seen: true }).await?;
                self.store.discard(&upload).await?;
                Ok(Kept::Whole(()))
            }
            Kept::Damaged(reason) => Ok(Kept::Damaged(reason)),
        }
    }

    async fn note(&self, line: Line) -> Result<()> {
        self.append(&line, true).await?;
        self.known.lock().insert(line.digest, line);
        Ok(())
    }

    async fn append(&self, line: &impl Serialize, durably: bool) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::from).at("write", &self.path)?;
        text.push(b'\n');
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        blocking(move || {
            let mut file = file.lock();
            file.write_all(&text)
                .and_then(|()| if durably { file.sync_data() } else { Ok(()) })
                .at("write", &path)
        })
        .await
    }
}
