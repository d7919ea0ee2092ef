//! A directory as a shelf: each object gets its name when all of it is on the disk.

use std::{
    fmt, fs,
    fs::File,
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use uuid::Uuid;

use super::{blocking, buffer::Pool, reader::DiskReader, system};
use crate::{
    BlobReader, Error, Result,
    error::Context as _,
    shelf::{Children, OWN, ShelfObject},
};

/// Objects listed that wait for their reader.
const LISTED: usize = 256;

/// A directory; clones share its buffers.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    pool: Arc<Pool>,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), pool: Arc::default() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join(OWN[0])
    }

    pub(crate) fn list(&self, folder: &str) -> BoxStream<'static, Result<ShelfObject>> {
        let (sender, receiver) = tokio::sync::mpsc::channel(LISTED);
        let (this, folder) = (self.clone(), folder.to_owned());
        tokio::task::spawn_blocking(move || {
            // Who listens no more has seen enough.
            let mut see = |object| sender.blocking_send(Ok(object)).is_ok();
            if let Err(error) = this.walk(folder, &mut see) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))).boxed()
    }

    fn walk(&self, folder: String, see: &mut impl FnMut(ShelfObject) -> bool) -> Result<()> {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let children = self.read(&folder)?;
            for object in children.objects {
                if !see(object) {
                    return Ok(());
                }
            }
            folders.extend(children.folders.iter().map(|name| join(&folder, name)));
        }
        Ok(())
    }

    pub(crate) async fn children(&self, folder: &str) -> Result<Children> {
        let (this, folder) = (self.clone(), folder.to_owned());
        blocking(move || this.read(&folder)).await
    }

    fn read(&self, folder: &str) -> Result<Children> {
        let path = self.path(folder);
        let doing = || format!("cannot list {}", path.display());
        let mut children = Children::default();
        let entries = match fs::read_dir(&path) {
            Err(error) if is_absent(&error) => return Ok(children),
            entries => entries.context(doing)?,
        };
        for entry in entries {
            let entry = entry.context(doing)?;
            // A name that is no text is nothing that a shelf wrote.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if folder.is_empty() && OWN.contains(&name.as_str()) {
                continue;
            }
            let metadata = match fs::metadata(entry.path()) {
                Err(error) if is_absent(&error) => continue,
                metadata => metadata.context(doing)?,
            };
            if metadata.is_dir() {
                children.folders.push(name);
            } else {
                children.objects.push(ShelfObject { name: join(folder, &name), size: metadata.len() });
            }
        }
        Ok(children)
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let path = self.path(name);
        blocking(move || match fs::read(&path) {
            Err(error) if is_absent(&error) => Ok(None),
            read => Ok(Some(read.context(|| format!("cannot read {}", path.display()))?.into())),
        })
        .await
    }

    pub(crate) async fn open(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        let (path, pool) = (self.path(name), Arc::clone(&self.pool));
        let reader = blocking(move || DiskReader::open(&path, &pool)).await?;
        Ok(Arc::new(reader))
    }

    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name);
        blocking(move || match fs::metadata(&path) {
            Err(error) if is_absent(&error) => Ok(None),
            metadata => {
                let metadata = metadata.context(|| format!("cannot stat {}", path.display()))?;
                Ok(metadata.is_file().then_some(metadata.len()))
            }
        })
        .await
    }

    pub(crate) async fn writer(&self, name: &str) -> Result<FolderWriter> {
        let (directory, path, root) = (self.unfinished(), self.path(name), self.root.clone());
        blocking(move || {
            make_directories(&directory)?;
            let unfinished = directory.join(Uuid::new_v4().simple().to_string());
            let file =
                File::create_new(&unfinished).context(|| format!("cannot make {}", unfinished.display()))?;
            Ok(FolderWriter { root, file: Some(file), unfinished, path })
        })
        .await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let (path, root) = (self.path(name), self.root.clone());
        blocking(move || {
            let mut directory = path.parent().unwrap_or(&root);
            if !system::remove(&path)? {
                return Ok(());
            }
            system::sync_directory(directory)?;
            // Folders end with their last object, as in a bucket.
            while directory != root && fs::remove_dir(directory).is_ok() {
                directory = directory.parent().unwrap_or(&root);
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn clear_unfinished(&self) -> Result<()> {
        let directory = self.unfinished();
        blocking(move || {
            let entries = match fs::read_dir(&directory) {
                Err(error) if is_absent(&error) => return Ok(()),
                entries => entries.context(|| format!("cannot list {}", directory.display()))?,
            };
            for entry in entries {
                system::remove(&entry.context(|| format!("cannot list {}", directory.display()))?.path())?;
            }
            Ok(())
        })
        .await
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

/// Writes a file that has no name on the shelf yet.
#[derive(Debug)]
pub(crate) struct FolderWriter {
    root: PathBuf,
    /// Away while a pool thread writes.
    file: Option<File>,
    unfinished: PathBuf,
    path: PathBuf,
}

impl FolderWriter {
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let path = self.unfinished.clone();
        let mut file = self.file.take().ok_or_else(|| broken(&path))?;
        let file = blocking(move || {
            file.write_all(&chunk).context(|| format!("cannot write {}", path.display()))?;
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<()> {
        let file = self.file.take().ok_or_else(|| broken(&self.unfinished))?;
        blocking(move || {
            system::sync_data(&file, &self.unfinished)?;
            let directory = self.path.parent().unwrap_or(&self.root);
            // A deletion beside may take a folder away that has just been made.
            for _ in 0..3 {
                make_directories(directory)?;
                if system::rename(&self.unfinished, &self.path)? {
                    return system::sync_directory(directory);
                }
            }
            Err(Error::NotFound)
        })
        .await
    }

    pub(crate) async fn discard(self) {
        let _ = blocking(move || system::remove(&self.unfinished)).await;
    }
}

fn broken(path: &Path) -> Error {
    Error::Io(ErrorKind::BrokenPipe.into(), format!("writing {} has failed before", path.display()))
}

/// Makes a directory and what is missing above it, each with a name that survives a power loss.
pub(super) fn make_directories(directory: &Path) -> Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_directories(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
        made => made.context(|| format!("cannot make {}", directory.display()))?,
    }
    system::sync_directory(parent)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Locks a directory for one who changes it, or for those who read it; `None` when others are in the way. Who changes it may make it.
pub(crate) async fn lock(root: &Path, exclusive: bool) -> Result<Option<File>> {
    let root = root.to_owned();
    blocking(move || {
        if exclusive {
            make_directories(&root)?;
        }
        let path = root.join(OWN[1]);
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.context(|| format!("cannot open {}", path.display()))?;
        let operation = if exclusive {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingLockShared
        };
        match flock(&file, operation) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).context(|| format!("cannot lock {}", path.display())),
        }
    })
    .await
}
