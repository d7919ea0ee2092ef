//! Begins an import: names the other store and enqueues the job.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use berth_catalog::job::{self, JobId, NewJob};
use berth_catalog::{Tx, imported};

use super::ImportJob;
use crate::{Error, Registry};

/// Where the layout begins, below the directory that the other registry was given.
const BELOW: &str = "docker/registry/v2";

/// Why an import can't begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It would be wrong to.
    #[error("{0}")]
    Refused(String),
    /// The directories could not be read or named.
    #[error("the store to import can't be used: {0}")]
    Io(#[from] io::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
}

impl Registry {
    /// Makes `dir` the store to import, unless it is already, and enqueues the job; one that is open is left as it is, and returned.
    /// Without a directory the import that was begun goes on. Blocks for a moment: for a command.
    pub async fn start_import(&self, dir: Option<&Path>, finish: bool) -> Result<JobId, ImportError> {
        let refused = |reason: String| Err(ImportError::Refused(reason));
        let Some(old) = &self.0.import.old else {
            return refused("this registry imports nothing".to_owned());
        };
        let link = old.root();
        let root = dir.map(find_root).transpose()?;
        match (root, target(link)?) {
            (None, None) => return refused("no import was begun: name the directory to import".to_owned()),
            (Some(root), None) => {
                self.0.catalog.write(async move |tx| imported::clear(tx).await).await?;
                symlink(&root, link)?;
                sync_parent(link)?;
            }
            (Some(root), Some(known)) if known != root => {
                let known = known.display();
                return refused(format!(
                    "the import of {known} is not finished: run `berth import --finish` first"
                ));
            }
            (_, Some(_)) => {}
        }
        self.enqueue_import(finish).await
    }

    async fn enqueue_import(&self, finish: bool) -> Result<JobId, ImportError> {
        let now = self.now();
        let new = NewJob {
            kind: ImportJob::KIND,
            slot: Some(ImportJob::KIND.to_owned()),
            payload: ImportJob::payload(finish),
            run_at: now,
        };
        let unit = async move |tx: &mut Tx| match job::enqueue(tx, &new, now).await? {
            Some(id) => Ok::<_, Error>(Some(id)),
            None => Ok(job::find_open(tx, ImportJob::KIND).await?),
        };
        Ok(self.0.catalog.write(unit).await?.ok_or(Error::Busy)?)
    }
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
    for root in [dir.join(BELOW), dir.clone()] {
        if root.join("blobs").is_dir() && root.join("repositories").is_dir() {
            return Ok(root);
        }
    }
    let shown = dir.display();
    Err(io::Error::other(format!(
        "{shown} holds no {BELOW} with blobs and repositories: name the directory that the other registry stores in"
    )))
}

/// Makes the link's own name durable.
pub(super) fn sync_parent(link: &Path) -> io::Result<()> {
    let parent = link.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}
