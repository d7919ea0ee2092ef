//! Catalog and store know each other by the store's name, which lies in both. Without this a disk that is not mounted would
//! make every blob count as damaged, and a catalog that is gone would make every file litter.

use std::sync::Arc;

use anyhow::{Result, bail};
use berth_blobs::Blobs;
use berth_catalog::{Catalog, identity};

use super::store::Store;

/// What the two say of each other.
enum Pair {
    /// They belong together.
    Known,
    /// A catalog that has never been served, beside a store with this name or none.
    New(Option<String>),
}

/// Opens the store for a process that serves or repairs. A new pair is given its name; nodes that start at one time agree.
pub(super) async fn open(catalog: &Catalog, store: &Store) -> Result<Arc<dyn Blobs>> {
    let pair = compare(catalog, store).await?;
    let blobs = store.open()?;
    let Pair::New(name) = pair else { return Ok(blobs) };
    if !blobs.scan(None, 1).await?.is_empty() || !blobs.leftovers().await?.is_empty() {
        bail!(
            "store {store} holds blobs, and the catalog is new: restore the catalog from a backup, or move the store away to begin anew"
        );
    }
    let name = match name {
        Some(name) => name,
        // The store's first: a catalog that knows a name was never without its store.
        None => store.give_name(&uuid::Uuid::new_v4().simple().to_string()).await?,
    };
    let noted = catalog.write({
        let name = name.clone();
        async move |tx| match identity::find(tx).await? {
            Some(found) => Ok(found),
            None => identity::insert(tx, &name).await.map(|_| name.clone()),
        }
    });
    let noted: String = noted.await?;
    if noted != name {
        bail!(
            "store {store} is {name}, and another node has just begun the catalog with {noted}: start this one again"
        );
    }
    Ok(blobs)
}

/// Opens the store beside the process that owns it.
pub(super) async fn join(catalog: &Catalog, store: &Store) -> Result<Arc<dyn Blobs>> {
    match compare(catalog, store).await? {
        Pair::Known => store.open(),
        Pair::New(_) => bail!("the catalog is new and has no store yet: start `berth serve` first"),
    }
}

async fn compare(catalog: &Catalog, store: &Store) -> Result<Pair> {
    let known = catalog.read(async |r| identity::find(r).await).await?;
    match (known, store.name().await?) {
        (Some(known), Some(found)) if known == found => Ok(Pair::Known),
        (Some(known), Some(found)) => bail!(
            "store {store} is {found}, the catalog belongs to {known}: mount the store of this catalog, or restore the catalog of this store"
        ),
        (Some(known), None) => bail!(
            "store {store} is missing or not the catalog's: mount it; if its bytes are lost for good, {}",
            store.advice(&known)
        ),
        (None, found) => Ok(Pair::New(found)),
    }
}

#[cfg(test)]
mod tests;
