//! Erasure of a person: the name and the key go, and with them all that is sealed under it; the chain still verifies.
//!
//! The row of the pseudonym stays and says that the person was erased, and since when no plain column tells of the person. What was
//! interrupted between the two is finished by whoever comes first: a server, or the same command.

use std::time::Duration;

use berth_access::Persons;
use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::trail::{self, Trail};
use berth_catalog::{Catalog, account, robot, subject};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::watch;

use crate::entry::ERASE;
use crate::error::Result;

/// After this every node that can reach the catalog has forgotten the person, and has written what it still knew.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// Records to a unit of work.
const BATCH: usize = 5000;
/// Persons in one go.
const PERSONS: usize = 10_000;
/// Between two looks for what is unfinished.
const TICK: Duration = Duration::from_mins(1);

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The name in logs, which names nobody any more; `None` if logs knew nobody of the name that was given.
    pub pseudonym: Option<String>,
    /// The same of those whose erasure had been interrupted, and is finished now.
    pub finished: Vec<String>,
}

/// Erases the person of this name, which is recorded: `by` says who asked for it. Finishes what earlier erasures left. `None` if logs
/// know nobody of this name, and nothing was left.
pub async fn erase(catalog: &Catalog, trail: &Trail, name: &str, by: Author) -> Result<Option<Erased>> {
    if name == Persons::NOBODY {
        return Ok(None);
    }
    let gone = forget(catalog, name, by).await?;
    if gone.is_some() {
        tokio::time::sleep(FORGOTTEN).await;
    }
    let mut finished = finish(catalog, trail).await?;
    finished.retain(|pseudonym| gone.as_ref() != Some(pseudonym));
    let erased = Erased { pseudonym: gone, finished };
    Ok(Some(erased).filter(|erased| erased.pseudonym.is_some() || !erased.finished.is_empty()))
}

/// Forgets of whom nobody may log in as any more which robots the person made, and the secrets of which ones the person knows. Of others
/// both stay: who knows a secret gets no rights through it, whatever logs call the person.
pub async fn disown(catalog: &Catalog, name: &str) -> Result<()> {
    let name = name.to_owned();
    let unit = catalog.write(async move |tx| {
        if account::find(tx, &name).await?.is_none() {
            robot::forget(tx, &name).await?;
        }
        Ok::<_, berth_catalog::Error>(())
    });
    Ok(unit.await?)
}

/// Removes name and key.
async fn forget(catalog: &Catalog, name: &str, by: Author) -> Result<Option<String>> {
    let (name, now) = (name.to_owned(), catalog.clock().now());
    let unit = catalog.write(async move |tx| {
        let Some(pseudonym) = subject::erase(tx, &name, now).await? else { return Ok(None) };
        let event = NewEvent {
            id: uuid::Uuid::new_v4(),
            at: now,
            kind: Kind::Administered,
            repository: None,
            tag: None,
            digest: None,
            author: by.clone(),
            detail: json!({ "action": ERASE, "subject": pseudonym }),
        };
        event::append(tx, event).await;
        Ok::<_, berth_catalog::Error>(Some(pseudonym))
    });
    Ok(unit.await?)
}

/// Empties the plain columns of everybody who was erased and of whom they may still tell. Returns whose columns nobody had
/// emptied before.
pub async fn finish(catalog: &Catalog, trail: &Trail) -> Result<Vec<String>> {
    let now = catalog.clock().now();
    let forgotten = SignedDuration::try_from(FORGOTTEN).unwrap_or(SignedDuration::ZERO);
    let before = now.checked_sub(forgotten).unwrap_or(Timestamp::MIN);
    let left = catalog.read(async |r| subject::list_unfinished(r, before, PERSONS).await).await?;
    let mut finished = Vec::new();
    for (pseudonym, is_first) in left {
        blank(trail, &pseudonym).await?;
        let of = pseudonym.clone();
        catalog
            .write(async move |tx| subject::blanked(tx, &of, now).await)
            .await
            .map_err(|error: berth_catalog::Error| crate::Error::from(error))?;
        if is_first {
            finished.push(pseudonym);
        }
    }
    Ok(finished)
}

/// Finishes erasures, until `stop` says true.
pub(crate) async fn run(catalog: Catalog, trail: Trail, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = finish(&catalog, &trail).await {
            tracing::warn!(%error, "cannot finish the erasure of persons from the audit trail, will go on trying");
        }
        if tokio::time::timeout(TICK, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Empties the columns that show in plain what is sealed.
async fn blank(trail: &Trail, pseudonym: &str) -> Result<()> {
    let mut from = Some(Timestamp::MIN);
    while let Some(at) = from {
        let pseudonym = pseudonym.to_owned();
        from = trail
            .write(async move |tx| trail::blank(tx, &pseudonym, at, BATCH).await)
            .await
            .map_err(|error: berth_catalog::Error| crate::Error::from(error))?;
    }
    Ok(())
}
