//! The data directory: its layout, its lock, and the rooms opened on it.
//!
//! ```text
//! berth-data/
//!   lock         held by the one process that serves or repairs
//!   catalog.db   what exists (SQLite, with its -wal and -shm)
//!   store/       bytes (see berth-blobs)
//!   foreign      symbolic link to another registry's store, while it is imported
//! ```

mod identity;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_blobs::{Blobs, Disk, Foreign, Metered};
use berth_catalog::{Catalog, Clock};
use berth_registry::Registry;
use berth_server::MetricsRegistry;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::config::Config;

/// Longer than a look at the lock takes.
const MOMENT: Duration = Duration::from_millis(50);
const CATALOG: &str = "catalog.db";
/// The catalog while a restore fills it.
const UNFINISHED: &str = "catalog.restoring";

/// The lock of a data directory; let go when dropped, by the kernel if the process dies. It must outlive the runtime, whose
/// threads may still be moving files when the work has ended.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the lock; `None` when another process has it.
pub(crate) fn lock(config: &Config) -> Result<Option<Lock>> {
    let dir = &config.data_dir;
    create_durably(dir).with_context(|| format!("data directory {} can't be made", dir.display()))?;
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

/// Makes a directory and what is missing above it, each with a name that survives a power loss.
fn create_durably(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_durably(parent)?;
    // For this user only: the catalog holds small blobs.
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made?,
    }
    File::open(parent)?.sync_all()
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

/// Opens catalog and store for the holder of the lock.
pub(crate) async fn open(config: &Config) -> Result<Registry> {
    let (catalog, disk) = open_both(config).await?;
    Ok(registry(config, catalog, Arc::new(disk)))
}

/// Opens catalog and store for a server, whose store counts what it does in `metrics`.
pub(crate) async fn open_metered(config: &Config, metrics: &mut MetricsRegistry) -> Result<Registry> {
    let (catalog, disk) = open_both(config).await?;
    Ok(registry(config, catalog, Arc::new(Metered::new(Arc::new(disk), metrics))))
}

/// Opens catalog and store beside whoever holds the lock, to read.
pub(crate) async fn join(config: &Config) -> Result<Registry> {
    let catalog = join_catalog(config)?;
    let disk = identity::join(&catalog, &store(config), Disk::OPEN_FILES).await?;
    Ok(registry(config, catalog, Arc::new(disk)))
}

/// Puts a registry together that serves what is imported where it lies.
fn registry(config: &Config, catalog: Catalog, blobs: Arc<dyn Blobs>) -> Registry {
    let link = config.data_dir.join("foreign");
    let blobs = Arc::new(Foreign::new(blobs, &link));
    Registry::with_import(catalog, blobs, registry_config(config), link)
}

/// Opens the catalog beside whoever holds the lock, to read and to enqueue jobs.
pub(crate) fn join_catalog(config: &Config) -> Result<Catalog> {
    let file = config.data_dir.join(CATALOG);
    Catalog::join(&file, Clock::system()).with_context(|| unopened(&file))
}

async fn open_both(config: &Config) -> Result<(Catalog, Disk)> {
    let file = config.data_dir.join(CATALOG);
    let catalog = Catalog::open(&file, Clock::system()).with_context(|| unopened(&file))?;
    let disk = identity::open(&catalog, &store(config), Disk::OPEN_FILES).await?;
    Ok((catalog, disk))
}

/// A data directory that is being filled; without [`NewData::finish`] it holds no catalog, and is refused by every command.
pub(crate) struct NewData {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: Arc<dyn Blobs>,
    dir: PathBuf,
}

/// Makes a new catalog and store in an empty data directory, for the holder of the lock.
pub(crate) async fn create(config: &Config) -> Result<NewData> {
    let dir = config.data_dir.clone();
    let mut held = std::fs::read_dir(&dir)?.collect::<io::Result<Vec<_>>>()?;
    held.retain(|entry| entry.file_name() != "lock");
    if held.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        bail!(
            "{} holds what an interrupted restore left: remove it, then run the command again",
            dir.display()
        );
    }
    if let Some(entry) = held.first() {
        let name = entry.file_name();
        bail!("{} holds {}: name an empty data directory with --data-dir", dir.display(), name.display());
    }
    let file = dir.join(UNFINISHED);
    let catalog = Catalog::open(&file, Clock::system()).with_context(|| unopened(&file))?;
    let disk = identity::open(&catalog, &store(config), Disk::OPEN_FILES).await?;
    Ok(NewData { catalog, blobs: Arc::new(disk), dir })
}

impl NewData {
    /// Closes the catalog and gives it its name.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { catalog, blobs, dir } = self;
        // The last to go ends the writer, which leaves nothing in the log.
        drop((catalog, blobs));
        let file = dir.join(UNFINISHED);
        for side in [format!("{UNFINISHED}-wal"), format!("{UNFINISHED}-shm")].map(|name| dir.join(name)) {
            let Ok(metadata) = std::fs::metadata(&side) else { continue };
            if side.to_string_lossy().ends_with("-wal") && metadata.len() > 0 {
                bail!("catalog {} was not closed: remove {} and begin anew", file.display(), dir.display());
            }
            std::fs::remove_file(&side)?;
        }
        File::open(&file)?.sync_all()?;
        std::fs::rename(&file, dir.join(CATALOG)).with_context(|| unopened(&file))?;
        Ok(File::open(&dir)?.sync_all()?)
    }
}

fn unopened(catalog: &Path) -> String {
    format!("catalog {} can't be opened", catalog.display())
}

fn store(config: &Config) -> PathBuf {
    config.data_dir.join("store")
}

fn registry_config(config: &Config) -> berth_registry::Config {
    berth_registry::Config {
        limits: config.limits.clone(),
        storage: config.storage.clone(),
        gc: config.gc.clone(),
        scrub: config.scrub.clone(),
    }
}
