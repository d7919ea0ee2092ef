//! Begins an import: names the other store and enqueues the job.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_catalog::imported::Source;
use berth_catalog::job::{self, JobId, NewJob};
use berth_catalog::{Tx, imported, moving};

use super::ImportJob;
use super::layout::OldStore;
use super::source::{OldBucket, Sources};
use crate::{Error, Registry};

/// Where the layout of a docker-registry store begins, below the directory or prefix that it was given.
pub const OLD_LAYOUT: &str = "docker/registry/v2";
/// The slot of the job that ends an import.
const FINISH: &str = "import-finish";
/// After this every node that can reach the catalog knows of a bucket.
const FOLLOWED: Duration = Duration::from_secs(1);

/// The store to import.
#[derive(Debug, Clone)]
pub enum OldRegistry {
    /// A local directory.
    Directory(PathBuf),
    /// A bucket, by the address to note in the catalog.
    Bucket {
        /// Which bucket it is: what people are told, and the same however it is reached.
        name: String,
        /// How every node reaches it.
        address: String,
    },
}

/// Why an import can't begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It would be wrong to.
    #[error("{0}")]
    Refused(String),
    /// The directories could not be read or named.
    #[error("the store to import can't be used: {0}")]
    Io(#[from] io::Error),
    /// The bucket could not be read.
    #[error("the bucket to import can't be used: {0}")]
    Bucket(#[from] berth_blobs::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
}

impl Registry {
    /// Makes `from` the store to import, unless it is already, and enqueues the job; one that is open is left as it is, and returned.
    /// Without one the import that was begun goes on. Blocks for a moment: for a command.
    ///
    /// # Errors
    /// [`ImportError::Refused`] where it makes no sense; [`ImportError::Catalog`], among others while the registry is moving.
    pub async fn start_import(&self, from: Option<&OldRegistry>, finish: bool) -> Result<JobId, ImportError> {
        let Some(sources) = &self.0.import.sources else {
            return Err(refused("this registry imports nothing".to_owned()));
        };
        self.0.catalog.read(async |r| moving::refuse_leaving(r).await).await?;
        let link = sources.elsewhere.link();
        let linked = target(link)?;
        let bucket = self.0.catalog.read(async |r| imported::find_source(r).await).await?;
        let known = bucket.map(|bucket| bucket.name).or(linked.map(|dir| dir.display().to_string()));
        match (from, known) {
            (None, None) => {
                return Err(refused(
                    "no import was begun: name the directory or bucket to import".to_owned(),
                ));
            }
            (None, Some(_)) => {}
            (Some(OldRegistry::Directory(dir)), known) => {
                let root = find_root(dir)?;
                refuse_another(known.as_deref(), &root.display().to_string())?;
                if known.is_none() {
                    self.0.catalog.write(async move |tx| imported::clear(tx).await).await?;
                    symlink(&root, link)?;
                    sync_parent(link)?;
                }
            }
            (Some(OldRegistry::Bucket { name, address }), known) => {
                refuse_another(known.as_deref(), name)?;
                check_bucket(sources, name, address).await?;
                let source = Source { name: name.clone(), address: address.clone() };
                let other = self.0.catalog.write(async move |tx| imported::begin(tx, &source).await).await?;
                refuse_another(other.as_deref(), name)?;
                self.heed_import().await?;
                tokio::time::sleep(FOLLOWED).await;
            }
        }
        self.enqueue_import(finish).await
    }

    async fn enqueue_import(&self, finish: bool) -> Result<JobId, ImportError> {
        let now = self.now();
        // It waits for the end of one that only takes in: at most one of a kind runs.
        let slot = if finish { FINISH } else { ImportJob::KIND };
        let new = NewJob {
            kind: ImportJob::KIND,
            slot: Some(slot.to_owned()),
            payload: ImportJob::payload(finish),
            run_at: now,
        };
        let unit = async move |tx: &mut Tx| {
            // A move that began meanwhile.
            moving::refuse_leaving(tx).await?;
            match job::enqueue(tx, &new, now).await? {
                Some(id) => Ok::<_, ImportError>(Some(id)),
                None => Ok(job::find_open(tx, slot).await?),
            }
        };
        Ok(self.0.catalog.write(unit).await?.ok_or(Error::Busy)?)
    }
}

fn refused(reason: String) -> ImportError {
    ImportError::Refused(reason)
}

fn refuse_another(known: Option<&str>, wanted: &str) -> Result<(), ImportError> {
    match known {
        Some(known) if known != wanted => {
            Err(refused(format!("the import of {known} is not finished: run `berth import --finish` first")))
        }
        _ => Ok(()),
    }
}

/// Refuses a bucket that holds no store, before anything is noted.
async fn check_bucket(sources: &Sources, name: &str, address: &str) -> Result<(), ImportError> {
    let OldBucket { bucket, links } = sources.open.open(address).map_err(refused)?;
    let objects = berth_blobs::Objects::in_bucket(bucket, links);
    if OldStore::new(objects, None).is_whole().await? {
        return Ok(());
    }
    Err(refused(format!(
        "{name} holds no {OLD_LAYOUT} with blobs and repositories: name the bucket, and behind it the rootdirectory of the other registry"
    )))
}

/// Returns what the link names; `None` if there is no import.
fn target(link: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Finds the layout in the directory that the other registry was given, or in one below it that was named instead.
fn find_root(dir: &Path) -> io::Result<PathBuf> {
    let dir = fs::canonicalize(dir)
        .map_err(|error| io::Error::new(error.kind(), format!("{} can't be read: {error}", dir.display())))?;
    for root in [dir.join(OLD_LAYOUT), dir.clone()] {
        if root.join("blobs").is_dir() && root.join("repositories").is_dir() {
            return Ok(root);
        }
    }
    let shown = dir.display();
    Err(io::Error::other(format!(
        "{shown} holds no {OLD_LAYOUT} with blobs and repositories: name the directory that the other registry stores in"
    )))
}

/// Makes the link's own name durable.
pub(super) fn sync_parent(link: &Path) -> io::Result<()> {
    let parent = link.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

/// Works on a pool thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> crate::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(ended) => ended.map_err(|error| Error::Internal(error.into())),
        Err(error) => Err(Error::Internal(error.into())),
    }
}
