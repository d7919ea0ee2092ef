//! Catalog and store know each other by the store's name, which lies in both. Without this a disk that is not mounted would
//! make every blob count as damaged, and a catalog that is gone would make every file litter.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use berth_blobs::{Blobs as _, Disk};
use berth_catalog::{Catalog, identity};

/// What the two say of each other.
enum Pair {
    /// They belong together.
    Known,
    /// A catalog that has never been served, beside a store with this name or none.
    New(Option<String>),
}

/// Opens the store in `root` for the process that owns the data directory. A new pair is given its name.
pub(super) async fn open(catalog: &Catalog, root: &Path, open_files: usize) -> Result<Disk> {
    let pair = compare(catalog, root).await?;
    let disk = open_disk(root, open_files)?;
    let Pair::New(name) = pair else { return Ok(disk) };
    if !disk.scan(None, 1).await?.is_empty() || !disk.leftovers().await?.is_empty() {
        bail!(
            "store {} holds blobs, and the catalog is new: restore the catalog from a backup, or move the store away to begin anew",
            root.display()
        );
    }
    let is_named = name.is_some();
    let name = name.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    if !is_named {
        // The store's first: a catalog that knows a name was never without its store.
        disk.identify(&name).with_context(|| format!("store {} can't be named", root.display()))?;
    }
    catalog.write(async move |tx| identity::insert(tx, &name).await).await?;
    Ok(disk)
}

/// Opens the store in `root` beside the process that owns it.
pub(super) async fn join(catalog: &Catalog, root: &Path, open_files: usize) -> Result<Disk> {
    match compare(catalog, root).await? {
        Pair::Known => open_disk(root, open_files),
        Pair::New(_) => bail!("the catalog is new and has no store yet: start `berth serve` first"),
    }
}

async fn compare(catalog: &Catalog, root: &Path) -> Result<Pair> {
    let known = catalog.read(async |r| identity::find(r).await).await?;
    let found = Disk::identity(root).with_context(|| format!("store {} can't be opened", root.display()))?;
    let root = root.display();
    match (known, found) {
        (Some(known), Some(found)) if known == found => Ok(Pair::Known),
        (Some(known), Some(found)) => bail!(
            "store {root} is {found}, the catalog belongs to {known}: mount the store of this catalog, or restore the catalog of this store"
        ),
        (Some(known), None) => bail!(
            "store {root} is missing or not the catalog's: mount it; if its bytes are lost for good, write {known} to {root}/identity \
             to go on without them"
        ),
        (None, found) => Ok(Pair::New(found)),
    }
}

fn open_disk(root: &Path, open_files: usize) -> Result<Disk> {
    Disk::open(root, open_files).with_context(|| format!("store {} can't be opened", root.display()))
}

#[cfg(test)]
mod tests;
