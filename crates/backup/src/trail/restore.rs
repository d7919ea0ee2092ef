//! Brings the trail of a point back.

use berth_catalog::trail::{self, Entry, Hash, Head, Record, Trail, taking};
use sha2::{Digest as _, Sha256};

use super::verify::read_signed;
use super::{Audited, KeptTrail, PAGE, archive_path, stretch};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::{Step, Watch};

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct TrailRestored {
    /// Records in the trail.
    pub records: u64,
    /// Archives of earlier ones.
    pub archives: u64,
    /// What is not whole.
    pub problems: Vec<String>,
}

/// Brings back the trail that a point holds, into an empty one, or goes on with a restore that was interrupted. `reveal` fills the
/// columns that are searched with what is sealed, as far as the keys to it are there.
///
/// # Errors
/// [`Error::Damaged`] when a file is not what it was; those of the trail when it holds something else.
pub async fn restore_trail(
    archive: &Archive,
    (name, kept): (&str, &KeptTrail),
    into: Audited<'_>,
    reveal: impl AsyncFn(&mut [Entry]) -> Result<(), String>,
    watch: Watch<'_>,
) -> Result<TrailRestored> {
    let signed = read_signed(archive, name, kept).await?;
    let mut restored = TrailRestored { problems: kept.problems.clone(), ..TrailRestored::default() };
    let wanted = kept.head();
    let begun: Head =
        into.trail.write(async move |tx| taking::begin(tx, wanted.first, wanted.before).await).await?;
    let (mut position, mut hash) = (begun.position, begun.hash);
    for file in &kept.stretches {
        let mut records = stretch::read(archive.shelf(), file).await?;
        if let Some(there) = records.iter().find(|record| record.position == position)
            && there.hash != hash
        {
            return Err(Error::NotEmpty(name.to_owned()));
        }
        records.retain(|record| record.position > position);
        for some in records.chunks(PAGE) {
            bring(into.trail, some, &reveal).await?;
            if let Some(last) = some.last() {
                (position, hash) = (last.position, last.hash);
            }
            let count = |last: i64| u64::try_from(last - wanted.first + 1).unwrap_or(0);
            watch(Step { phase: "audit trail", done: count(position), total: count(wanted.position) });
        }
    }
    if position > wanted.position {
        // Whoever went on after an earlier run recorded that.
        let at = into.trail.read(async |r| trail::list(r, wanted.position - 1, 1).await).await?;
        if let Some(there) = at.first() {
            (position, hash) = (there.position, there.hash);
        }
    }
    if (position, hash) != (wanted.position, wanted.hash) {
        restored.problems.push(format!("it ends with record {position}, not with {}", wanted.position));
    }
    restored.records = u64::try_from(position - wanted.first + 1).unwrap_or(0);
    for statement in &signed.archived {
        let packed = archive.shelf().get(&archive_path(&statement.sha256)).await?;
        let whole = packed.filter(|packed| Hash(Sha256::digest(packed).into()) == statement.sha256);
        match (whole, into.archives) {
            (Some(packed), Some(shelf)) => {
                shelf.put(&statement.file, packed).await?;
                restored.archives += 1;
            }
            (Some(_), None) => restored.problems.push(format!(
                "{}: the configuration names no place for archives (audit.archive_dir)",
                statement.file
            )),
            (None, _) => {
                restored.problems.push(format!("{}: the archive is not in the backup", statement.file));
            }
        }
    }
    let event = wanted.event;
    into.trail
        .write(async move |tx| taking::finish(tx, &signed.checkpoints, &signed.archived, event).await)
        .await?;
    Ok(restored)
}

/// Takes in records, with what is sealed in them in plain beside it.
async fn bring(
    trail: &Trail,
    records: &[Record],
    reveal: &impl AsyncFn(&mut [Entry]) -> Result<(), String>,
) -> Result<()> {
    let mut entries: Vec<Entry> = records.iter().map(|record| record.entry.clone()).collect();
    reveal(&mut entries).await.map_err(Error::Trail)?;
    let places = records.iter().map(|record| (record.position, record.hash));
    let records: Vec<Record> =
        places.zip(entries).map(|((position, hash), entry)| Record { position, entry, hash }).collect();
    trail.write(async move |tx| taking::append(tx, &records).await).await?;
    Ok(())
}
