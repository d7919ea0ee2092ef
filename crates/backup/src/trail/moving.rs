//! Brings the trail along when a registry moves to another database.

use berth_blobs::Shelf;
use berth_catalog::trail::{self, Head, Record, Trail, checkpoint, head, taking};
use berth_catalog::{Catalog, subject};
use jiff::Timestamp;

use super::{Audited, PAGE, Signed};
use crate::error::{Error, Result};
use crate::{Step, Watch};

/// Persons in one go.
const PERSONS: usize = 10_000;

/// Brings what `to` lacks of `from`, as often as one likes. Once nodes write to `to`, what the old ones still recorded comes behind
/// that: each record once, as a new one. Returns how many records came.
///
/// # Errors
/// Those of the trails; among them that `to` holds something else.
pub async fn bring_trail(from: Audited<'_>, to: Audited<'_>, watch: Watch<'_>) -> Result<u64> {
    let source = from.trail.read(async |r| head::find(r).await).await?;
    let (taken, mut target) = to
        .trail
        .read(async |r| Ok::<_, berth_catalog::Error>((taking::taken(r).await?, head::find(r).await?)))
        .await?;
    if let Some((taken, late)) = taken {
        refuse_other(from.trail, to.trail, taken).await?;
        if taken < target.position {
            return bring_late(from.trail, to.trail, late).await;
        }
    }
    if taken.is_none() {
        target = to.trail.write(async move |tx| taking::begin(tx, source.first, source.before).await).await?;
    } else if target.first < source.first {
        to.trail.write(async move |tx| taking::begin_later(tx, source.first, source.before).await).await?;
    }
    let brought = copy(from.trail, to.trail, target, watch).await?;
    sign(from, to).await?;
    Ok(brought)
}

/// Refuses a trail whose record at `position` is not what it is where records come from.
async fn refuse_other(from: &Trail, to: &Trail, position: i64) -> Result<()> {
    let here = from.read(async |r| trail::list(r, position - 1, 1).await).await?;
    let there = to.read(async |r| trail::list(r, position - 1, 1).await).await?;
    match (here.first(), there.first()) {
        (Some(here), Some(there)) if here.position == there.position && here.hash != there.hash => Err(
            Error::Trail("the new database holds the trail of another registry: take an empty one".into()),
        ),
        _ => Ok(()),
    }
}

/// Copies records as they are.
async fn copy(from: &Trail, to: &Trail, target: Head, watch: Watch<'_>) -> Result<u64> {
    let (mut position, mut brought) = (target.position, 0);
    loop {
        let records = from.read(async |r| trail::list(r, position, PAGE).await).await?;
        let Some(last) = records.last().map(|record| record.position) else { return Ok(brought) };
        (position, brought) = (last, brought + records.len() as u64);
        to.write(async move |tx| taking::append(tx, &records).await).await?;
        watch(Step { phase: "audit trail", done: brought, total: 0 });
    }
}

/// Copies what was signed, and archives.
async fn sign(from: Audited<'_>, to: Audited<'_>) -> Result<()> {
    let known =
        to.trail.read(async |r| checkpoint::last(r).await).await?.map_or(i64::MIN, |last| last.position);
    let (signed, head) = from
        .trail
        .snapshot(async |r| {
            Ok::<_, berth_catalog::Error>((Signed::read(r, known, i64::MIN).await?, head::find(r).await?))
        })
        .await?;
    if let (Some(old), Some(new)) = (from.archives, to.archives) {
        for statement in &signed.archived {
            carry(old, new, &statement.file).await?;
        }
    }
    // Only what the records that came over are signed for.
    let reached = to.trail.read(async |r| head::find(r).await).await?;
    let checkpoints: Vec<_> =
        signed.checkpoints.into_iter().filter(|one| one.position <= reached.position).collect();
    let event = if reached.position == head.position { head.event } else { 0 };
    to.trail.write(async move |tx| taking::finish(tx, &checkpoints, &signed.archived, event).await).await?;
    Ok(())
}

async fn carry(old: &Shelf, new: &Shelf, file: &str) -> Result<()> {
    if new.size(file).await?.is_none()
        && let Some(packed) = old.get(file).await?
    {
        new.put(file, packed).await?;
    }
    Ok(())
}

/// Appends what old nodes recorded behind `late`. What they copied from the event log is not lacking: new nodes copy it themselves.
async fn bring_late(from: &Trail, to: &Trail, late: i64) -> Result<u64> {
    let (mut position, mut brought) = (late, 0);
    loop {
        let records = from.read(async |r| trail::list(r, position, PAGE).await).await?;
        let Some(last) = records.last().map(|record| record.position) else { return Ok(brought) };
        position = last;
        let own = |record: Record| record.entry.event.is_none().then_some(record.entry);
        let entries: Vec<_> = records.into_iter().filter_map(own).collect();
        brought += entries.len() as u64;
        to.write(async move |tx| {
            trail::append_missing(tx, &entries).await?;
            taking::note_late(tx, last).await
        })
        .await?;
    }
}

/// Empties in `to` the plain columns of those who were erased since a move began: their records may have been copied before.
pub(crate) async fn forget(catalog: &Catalog, to: &Trail, since: Timestamp) -> Result<()> {
    let erased = catalog.read(async |r| subject::list_erased(r, since, PERSONS).await).await?;
    for (pseudonym, _) in erased {
        let mut from = Some(Timestamp::MIN);
        while let Some(at) = from {
            let pseudonym = pseudonym.clone();
            from = to.write(async move |tx| trail::blank(tx, &pseudonym, at, PAGE).await).await?;
        }
    }
    Ok(())
}
