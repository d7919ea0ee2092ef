//! The store of the catalog's blobs: files in the data directory, or a bucket.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use berth_blobs::{Blobs, Bucket, Disk};

use crate::config::Config;

/// A store that is not open yet: it can be asked for its name without making anything.
#[derive(Debug)]
pub(super) enum Store {
    /// Files below this directory.
    Disk {
        /// Its root.
        root: PathBuf,
        /// Blobs kept open.
        open_files: usize,
    },
    /// A bucket, and what the configuration calls it.
    Bucket(Bucket, String),
}

impl Store {
    /// Returns the store that the configuration names.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let Some(bucket) = &config.storage.bucket else {
            return Ok(Self::Disk { root: config.data_dir.join("store"), open_files: Disk::OPEN_FILES });
        };
        let opened = Bucket::open(&bucket.config()?)
            .with_context(|| format!("bucket {} can't be used", bucket.url))?;
        Ok(Self::Bucket(opened, bucket.url.clone()))
    }

    /// Reads the store's name.
    pub(super) async fn name(&self) -> Result<Option<String>> {
        match self {
            Self::Disk { root, .. } => Disk::identity(root),
            Self::Bucket(bucket, _) => bucket.identity().await,
        }
        .with_context(|| format!("store {self} can't be read"))
    }

    /// Gives the store a name, unless it got one meanwhile; returns the one that it has.
    pub(super) async fn give_name(&self, name: &str) -> Result<String> {
        match self {
            Self::Disk { root, open_files } => {
                Disk::open(root, *open_files).and_then(|disk| disk.identify(name)).map(|()| name.to_owned())
            }
            Self::Bucket(bucket, _) => bucket.identify(name).await,
        }
        .with_context(|| format!("store {self} can't be named"))
    }

    /// Opens the store; makes its directories.
    pub(super) fn open(&self) -> Result<Arc<dyn Blobs>> {
        Ok(match self {
            Self::Disk { root, open_files } => Arc::new(
                Disk::open(root, *open_files).with_context(|| format!("store {self} can't be opened"))?,
            ),
            Self::Bucket(bucket, _) => Arc::new(bucket.clone()),
        })
    }

    /// Says how an operator goes on without the bytes, if they are lost for good.
    pub(super) fn advice(&self, name: &str) -> String {
        let place = match self {
            Self::Disk { root, .. } => format!("{}/identity", root.display()),
            Self::Bucket(_, url) => format!("the object {}/identity", url.trim_end_matches('/')),
        };
        format!("write {name} to {place} to go on without them")
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { root, .. } => root.display().fmt(f),
            Self::Bucket(_, url) => url.fmt(f),
        }
    }
}
