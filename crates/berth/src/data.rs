//! The data directory: its layout, its lock, and the rooms opened on it.
//!
//! ```text
//! berth-data/
//!   lock         held by the one process that serves or repairs
//!   catalog.db   what exists (SQLite, with its -wal and -shm)
//!   store/       bytes (see berth-blobs)
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_blobs::{Blobs, Disk, Metered};
use berth_catalog::{Catalog, Clock};
use berth_registry::Registry;
use berth_server::MetricsRegistry;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::config::Config;

/// Longer than a look at the lock takes.
const MOMENT: Duration = Duration::from_millis(50);
const CATALOG: &str = "catalog.db";
/// Blob files kept open for pulls to come.
const OPEN_FILES: usize = 256;

/// The lock of a data directory; let go when dropped, by the kernel if the process dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the lock; `None` when another process has it.
pub(crate) fn lock(config: &Config) -> Result<Option<Lock>> {
    let dir = &config.data_dir;
    // For this user only: the catalog holds small blobs.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("data directory {} can't be made", dir.display()))?;
    let path = dir.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(|| {
            format!("{} can't be opened: check who owns the data directory", path.display())
        })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be locked", path.display())),
    }
}

/// Takes the lock for a server. A command that looks whether one is there holds it for a moment.
pub(crate) async fn lock_to_serve(config: &Config) -> Result<Option<Lock>> {
    if let Some(lock) = lock(config)? {
        return Ok(Some(lock));
    }
    tokio::time::sleep(MOMENT).await;
    lock(config)
}

/// Refuses a directory without a catalog: a command that makes an empty one and finds it in order helps nobody.
pub(crate) fn must_exist(config: &Config) -> Result<()> {
    let dir = &config.data_dir;
    if !dir.join(CATALOG).is_file() {
        bail!("{} holds no catalog: name the data directory with --data-dir", dir.display());
    }
    Ok(())
}

/// Opens catalog and store. Without the lock, only for what may run beside a server: reading, and enqueueing jobs.
pub(crate) fn open(config: &Config) -> Result<Registry> {
    Ok(Registry::new(open_catalog(config)?, open_store(config)?, registry_config(config)))
}

/// Opens catalog and store for a server, whose store counts what it does in `metrics`.
pub(crate) fn open_metered(config: &Config, metrics: &mut MetricsRegistry) -> Result<Registry> {
    let store = Arc::new(Metered::new(open_store(config)?, metrics));
    Ok(Registry::new(open_catalog(config)?, store, registry_config(config)))
}

pub(crate) fn open_catalog(config: &Config) -> Result<Catalog> {
    let file = config.data_dir.join(CATALOG);
    Catalog::open(&file, Clock::system())
        .with_context(|| format!("catalog {} can't be opened", file.display()))
}

fn open_store(config: &Config) -> Result<Arc<dyn Blobs>> {
    let root = config.data_dir.join("store");
    let disk =
        Disk::open(&root, OPEN_FILES).with_context(|| format!("store {} can't be opened", root.display()))?;
    Ok(Arc::new(disk))
}

fn registry_config(config: &Config) -> berth_registry::Config {
    berth_registry::Config {
        limits: config.limits.clone(),
        storage: config.storage.clone(),
        gc: config.gc.clone(),
        scrub: config.scrub.clone(),
    }
}
