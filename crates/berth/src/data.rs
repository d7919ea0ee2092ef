//! The data directory: its layout, its lock, and the rooms opened on it.
//!
//! ```text
//! berth-data/
//!   lock         held by the one process that serves or repairs
//!   catalog.db   what exists (SQLite, with its -wal and -shm)
//!   audit.db     the audit trail (the same)
//!   audit.spool  records that wait for it
//!   audit-archive/  what became too old for it
//!   store/       bytes (see berth-blobs)
//!   foreign      symbolic link to another registry's store, while it is imported
//!   moving/      note of the bytes that `berth migrate` has copied
//! ```
//!
//! A node whose catalog lies in Postgres and whose bytes lie in a bucket has nothing in it, makes none and takes no lock.

mod identity;
mod old;
mod private;
mod store;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_blobs::{Blobs, Cached, Elsewhere, Foreign, Metered, Shelf};
use berth_catalog::mode::{self, Rest};
use berth_catalog::trail::Trail;
use berth_catalog::{Catalog, Clock, PostgresConfig, Schema, imported, restore};
use berth_registry::Registry;
use berth_server::MetricsRegistry;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::config::Config;
pub(crate) use old::old_bucket;
use store::Store;

/// Longer than a look at the lock takes.
const MOMENT: Duration = Duration::from_millis(50);
const CATALOG: &str = "catalog.db";
const TRAIL: &str = "audit.db";
/// The catalog while a restore fills it.
const UNFINISHED: &str = "catalog.restoring";

/// The lock of a data directory; let go when dropped, by the kernel if the process dies. It must outlive the runtime, whose
/// threads may still be moving files when the work has ended.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] Option<File>);

/// Takes the lock; `None` when another process has it.
pub(crate) fn lock(config: &Config) -> Result<Option<Lock>> {
    if config.is_stateless() {
        return Ok(Some(Lock(None)));
    }
    let dir = &config.data_dir;
    create_durably(dir).with_context(|| format!("data directory {} can't be made", dir.display()))?;
    let path = dir.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(|| {
            format!("{} can't be opened: check who owns the data directory", path.display())
        })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(Some(file)))),
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
    if config.database.url.is_none() && !dir.join(CATALOG).is_file() {
        bail!(
            "{} holds no catalog: start `berth serve` once, which makes it, or name another directory with --data-dir",
            dir.display()
        );
    }
    Ok(())
}

/// Who opens catalog and store for its own: a command that holds the lock, or a server, whose store counts what it does.
pub(crate) enum Role<'a> {
    Command,
    Server(&'a mut MetricsRegistry),
}

/// A registry that is this process's to work on, and the cache in front of its store, if it has one.
pub(crate) struct Opened {
    pub(crate) registry: Registry,
    pub(crate) cache: Option<Cached>,
}

/// Opens catalog and store. Only a server has the cache: what a command reads would push out what clients want.
pub(crate) async fn open(config: &Config, role: Role<'_>) -> Result<Opened> {
    let catalog = match (config.database.postgres()?, &role) {
        (None, _) => open_file(config)?,
        (Some(database), Role::Command) => visit(&database, config).await?,
        (Some(database), Role::Server(_)) => {
            let catalog = Catalog::connect(&database, Clock::system()).await;
            arrived(catalog.with_context(|| unreached(config))?).await?
        }
    };
    let blobs = identity::open(&catalog, &Store::of(config)?).await?;
    let Role::Server(metrics) = role else {
        return Ok(Opened {
            registry: with_old_bucket(registry(catalog, blobs, config)).await?,
            cache: None,
        });
    };
    let blobs: Arc<dyn Blobs> = Arc::new(Metered::new(blobs, metrics));
    let Some(cache) = &config.storage.disk_cache else {
        return Ok(Opened { registry: registry(catalog, blobs, config), cache: None });
    };
    let cached = Cached::open(blobs, &cache.directory, cache.bytes).with_context(|| {
        format!("storage.disk_cache.directory {} can't be used", cache.directory.display())
    })?;
    let registry = registry(catalog, Arc::new(cached.clone()), config);
    Ok(Opened { registry, cache: Some(cached) })
}

/// Opens the bucket that is imported, if there is one.
async fn with_old_bucket(registry: Registry) -> Result<Registry> {
    registry.heed_import().await?;
    Ok(registry)
}

/// Refuses a catalog that a registry is moving to and has not arrived in, and one that a restore has not filled.
async fn arrived(catalog: Catalog) -> Result<Catalog> {
    let now = catalog.clock().now();
    match catalog.read(async |r| mode::rests(r, now).await).await? {
        Some(Rest::Arriving) => bail!(
            "a registry is moving to this database and has not arrived: end `berth migrate --switch` there first"
        ),
        Some(Rest::Restoring) => bail!(
            "a backup is being restored into this database and is not whole: let `berth restore` end, or run it again, first"
        ),
        _ => Ok(catalog),
    }
}

/// Opens catalog and store beside whoever holds the lock, to read.
pub(crate) async fn join(config: &Config) -> Result<Registry> {
    let catalog = join_catalog(config).await?;
    let blobs = identity::join(&catalog, &Store::of(config)?).await?;
    with_old_bucket(registry(catalog, blobs, config)).await
}

/// Puts a registry together that serves what is imported where it lies.
fn registry(catalog: Catalog, blobs: Arc<dyn Blobs>, config: &Config) -> Registry {
    let elsewhere = Arc::new(Elsewhere::behind(config.data_dir.join("foreign")));
    let blobs = Arc::new(Foreign::new(blobs, Arc::clone(&elsewhere)));
    let registry =
        Registry::with_import(catalog, blobs, registry_config(config), elsewhere, old::opener(config));
    // Before the repair, which writes.
    if config.access.read_only {
        registry.read_only().configure();
    }
    registry
}

/// Opens the catalog beside whoever serves it, to read and to enqueue jobs; one that is not there is not made.
pub(crate) async fn join_catalog(config: &Config) -> Result<Catalog> {
    must_exist(config)?;
    if let Some(database) = config.database.postgres()? {
        return visit(&database, config).await;
    }
    let file = config.data_dir.join(CATALOG);
    Catalog::join(&file, Clock::system()).with_context(|| unopened(&file))
}

/// Opens the audit trail as one who serves: makes it when it is missing.
pub(crate) async fn open_trail(config: &Config) -> Result<Trail> {
    if let Some(database) = config.database.postgres()? {
        return Trail::connect(&database, Clock::system()).await.with_context(|| unreached(config));
    }
    let file = config.data_dir.join(TRAIL);
    private::keep(&file).with_context(|| unopened(&file))?;
    Trail::open(&file, Clock::system())
        .with_context(|| format!("audit trail {} can't be opened", file.display()))
}

/// Opens the audit trail beside whoever serves, if there is one: a directory that no server of this version has opened has none.
pub(crate) async fn find_trail(config: &Config) -> Result<Option<Trail>> {
    if config.database.url.is_none() && !config.data_dir.join(TRAIL).is_file() {
        return Ok(None);
    }
    join_trail(config).await.map(Some)
}

/// Names the place of the trail's archives, if there is one.
pub(crate) fn archives(config: &Config) -> Option<Shelf> {
    config.audit_place().archive.map(|place| Shelf::directory(&place))
}

/// Opens the audit trail beside whoever serves.
pub(crate) async fn join_trail(config: &Config) -> Result<Trail> {
    if let Some(database) = config.database.postgres()? {
        return Trail::visit(&database, Clock::system()).await.with_context(|| unreached(config));
    }
    let file = config.data_dir.join(TRAIL);
    if !file.is_file() {
        if config.data_dir.join(CATALOG).is_file() {
            bail!(
                "{} does not exist beside a catalog: the audit trail was removed, unless this catalog is of a Berth without one, \
                 which `berth serve` then makes",
                file.display()
            );
        }
        bail!("{} does not exist: `berth serve` makes it", file.display());
    }
    Trail::join(&file, Clock::system())
        .with_context(|| format!("audit trail {} can't be opened", file.display()))
}

/// Opens the catalog to read what it says of a move, also one that is arriving.
pub(crate) async fn look_at_catalog(config: &Config) -> Result<Catalog> {
    match config.database.postgres()? {
        Some(database) => Catalog::visit(&database, Clock::system()).await.with_context(|| unreached(config)),
        None => join_catalog(config).await,
    }
}

/// Returns the file that notes which bytes lie in the store `name`, which the registry moves to; makes its directory.
pub(crate) fn placed(config: &Config, name: &str) -> Result<PathBuf> {
    let dir = config.data_dir.join("moving");
    create_durably(&dir).with_context(|| format!("{} can't be made", dir.display()))?;
    Ok(dir.join(format!("placed-{name}.jsonl")))
}

/// Tells whether another registry's store is served from here, and not all of it is taken in.
pub(crate) async fn is_importing(config: &Config, catalog: &Catalog) -> Result<bool> {
    let from_directory = config.data_dir.join("foreign").is_symlink();
    let began = from_directory || catalog.read(async |r| imported::find_source(r).await).await?.is_some();
    Ok(began && !catalog.read(async |r| imported::totals(r).await).await?.complete)
}

/// Reads which version of the tables the catalog has, and changes nothing.
pub(crate) async fn schema(config: &Config) -> Result<Schema> {
    if let Some(database) = config.database.postgres()? {
        return Catalog::schema_of_database(&database).await.with_context(|| unreached(config));
    }
    must_exist(config)?;
    let file = config.data_dir.join(CATALOG);
    Catalog::schema_of_file(&file).with_context(|| unopened(&file))
}

/// Asks the store for its name; `None` if it has none yet.
pub(crate) async fn store_name(config: &Config) -> Result<Option<String>> {
    Store::of(config)?.name().await
}

async fn visit(database: &PostgresConfig, config: &Config) -> Result<Catalog> {
    let catalog = Catalog::visit(database, Clock::system()).await;
    arrived(catalog.with_context(|| unreached(config))?).await
}

fn open_file(config: &Config) -> Result<Catalog> {
    let file = config.data_dir.join(CATALOG);
    private::keep(&file).with_context(|| unopened(&file))?;
    Catalog::open(&file, Clock::system()).with_context(|| unopened(&file))
}

/// An empty catalog and store that are being filled.
pub(crate) struct NewData {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Where the catalog's file waits for its name: without [`NewData::finish`] the directory holds no catalog, and every command
    /// refuses it. `None` where the catalog lies in Postgres.
    dir: Option<PathBuf>,
}

/// Makes a new catalog and store: in an empty data directory, for the holder of the lock, or in the database and the bucket that are
/// configured. Opens again what an interrupted restore left there: `point` names what is to be restored, if that is the reason.
pub(crate) async fn create(config: &Config, point: Option<&str>) -> Result<NewData> {
    let (catalog, dir) = if let Some(database) = config.database.postgres()? {
        let catalog = Catalog::connect(&database, Clock::system()).await;
        let catalog = catalog.with_context(|| unreached(config))?;
        if !config.is_stateless() && !is_restoring(&catalog).await? {
            refuse_used(&config.data_dir)?;
        }
        // Before anything comes in: a node that starts from here on refuses.
        if let Some(point) = point {
            let (point, now) = (point.to_owned(), catalog.clock().now());
            catalog.write(async move |tx| restore::begin(tx, &point, now).await).await?;
        }
        (catalog, None)
    } else {
        refuse_used(&config.data_dir)?;
        let file = config.data_dir.join(UNFINISHED);
        private::keep(&file).with_context(|| unopened(&file))?;
        let catalog = Catalog::open(&file, Clock::system()).with_context(|| unopened(&file))?;
        (catalog, Some(config.data_dir.clone()))
    };
    let blobs = identity::open(&catalog, &Store::of(config)?).await?;
    Ok(NewData { catalog, blobs, dir })
}

async fn is_restoring(catalog: &Catalog) -> Result<bool> {
    let now = catalog.clock().now();
    Ok(catalog.read(async |r| mode::rests(r, now).await).await? == Some(Rest::Restoring))
}

fn refuse_used(dir: &Path) -> Result<()> {
    let shown = dir.display();
    if dir.join(UNFINISHED).exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).with_context(|| format!("{shown} can't be listed"))? {
        let name = entry?.file_name();
        if name != "lock" {
            bail!("{shown} holds {}: name an empty data directory with --data-dir", name.display());
        }
    }
    Ok(())
}

impl NewData {
    /// Lets the registry be served: takes the mark off a database, or closes the catalog and gives it its name.
    pub(crate) async fn finish(self) -> Result<()> {
        let Self { catalog, blobs, dir } = self;
        if dir.is_none() {
            catalog.write(async |tx| restore::end(tx).await).await?;
        }
        // The last to go ends the writer, which leaves nothing in the log.
        drop((catalog, blobs));
        let Some(dir) = dir else { return Ok(()) };
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

fn unreached(config: &Config) -> String {
    let url = config.database.url.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("catalog {url} can't be used")
}

fn registry_config(config: &Config) -> berth_registry::Config {
    berth_registry::Config {
        limits: config.limits.clone(),
        storage: config.storage.registry(),
        gc: config.gc.clone(),
        scrub: config.scrub.clone(),
    }
}
