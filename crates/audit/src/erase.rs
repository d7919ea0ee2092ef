//! Erasure of a person: the name and the key go, and with them all that is sealed under it; the chain still verifies.

use std::time::Duration;

use berth_access::Persons;
use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::trail::{self, Trail};
use berth_catalog::{Catalog, subject};
use jiff::Timestamp;
use serde_json::json;

use crate::error::Result;

/// After this every node that can reach the catalog has forgotten the person, and has written what it still knew.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// Records to a unit of work.
const BATCH: usize = 5000;

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The name in logs, which names nobody any more.
    pub pseudonym: String,
}

/// Erases the person of this name, which is recorded: `by` says who asked for it. `None` if logs know nobody of this name.
pub async fn erase(catalog: &Catalog, trail: &Trail, name: &str, by: Author) -> Result<Option<Erased>> {
    if name == Persons::NOBODY {
        return Ok(None);
    }
    let (name, now) = (name.to_owned(), catalog.clock().now());
    let gone = catalog
        .write(async move |tx| {
            let Some(pseudonym) = subject::erase(tx, &name, now).await? else { return Ok(None) };
            let event = NewEvent {
                id: uuid::Uuid::new_v4(),
                at: now,
                kind: Kind::Administered,
                repository: None,
                tag: None,
                digest: None,
                author: by.clone(),
                detail: json!({ "action": "erase", "subject": pseudonym }),
            };
            event::append(tx, event).await;
            Ok::<_, berth_catalog::Error>(Some(pseudonym))
        })
        .await?;
    let Some(pseudonym) = gone else { return Ok(None) };
    tokio::time::sleep(FORGOTTEN).await;
    blank(trail, &pseudonym).await?;
    Ok(Some(Erased { pseudonym }))
}

/// Empties the columns that show in plain what is sealed. To be run again for somebody who was erased while a node could not hear of it.
pub async fn blank(trail: &Trail, pseudonym: &str) -> Result<()> {
    let mut from = Some(Timestamp::MIN);
    while let Some(at) = from {
        let pseudonym = pseudonym.to_owned();
        from = trail.write(async move |tx| trail::blank(tx, &pseudonym, at, BATCH).await).await?;
    }
    Ok(())
}
