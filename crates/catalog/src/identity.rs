//! Which store the catalog's locations are of: a catalog beside another store would take every blob for damaged, and a store
//! beside another catalog every file for litter.

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Finds the name of the catalog's store; `None` before the first start has ended.
pub async fn find(r: &Reader) -> Result<Option<String>> {
    r.query_opt("SELECT store FROM identity WHERE one = 1", params![], |row| {
        row.text(0).map(ToOwned::to_owned)
    })
    .await
}

/// Notes the name of the catalog's store, once and for all. Returns false if it has one already: [`find`] tells which.
pub async fn insert(tx: &mut Tx, store: &str) -> Result<bool> {
    let changed = tx
        .execute("INSERT INTO identity (one, store) VALUES (1, $1) ON CONFLICT DO NOTHING", params![store])
        .await?;
    Ok(changed > 0)
}
