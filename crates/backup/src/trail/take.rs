//! Brings the trail into a backup.

use std::collections::HashSet;

use berth_catalog::Reader;
use berth_catalog::trail::{self, Hash, Head, Trail, head};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::stretch::{self, LENGTH, Name};
use super::{Audited, KeptTrail, PAGE, Signed, TRAIL, archive_path};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::{Step, Watch};

/// Times that it begins anew because records were archived meanwhile.
const TRIES: usize = 3;

/// Keeps the trail as it is now for the point whose folder is named.
pub(crate) async fn take(
    archive: &Archive,
    folder: &str,
    audited: Audited<'_>,
    watch: Watch<'_>,
) -> Result<KeptTrail> {
    for _ in 0..TRIES {
        if let Some(kept) = try_once(archive, folder, audited, watch).await? {
            return Ok(kept);
        }
    }
    Err(Error::Trail("old records of the audit trail are being archived: run the backup again".into()))
}

async fn try_once(
    archive: &Archive,
    folder: &str,
    audited: Audited<'_>,
    watch: Watch<'_>,
) -> Result<Option<KeptTrail>> {
    let (head, signed) = audited.trail.snapshot(async |r| view(r).await).await?;
    let shelf = archive.shelf();
    let there: Vec<String> = shelf.list(TRAIL).map_ok(|object| object.name).try_collect().await?;
    let known: Vec<Name> = there.iter().filter_map(|path| Name::parse(path)).collect();
    let (mut position, mut stretches) = (head.first - 1, Vec::new());
    while position < head.position {
        let last = ((position / LENGTH + 1) * LENGTH).min(head.position);
        let Some(hash) = hash_at(audited.trail, &head, last).await? else { return Ok(None) };
        let wanted = Name::new(position + 1, last, &hash);
        let file = if let Some(known) = known.iter().find(|name| wanted.is_in(name)) {
            known.file()
        } else {
            let count = usize::try_from(last - position).unwrap_or(0);
            let records = audited.trail.read(async |r| trail::list(r, position, count).await).await?;
            let follows = records.first().is_some_and(|record| record.position == position + 1);
            if records.len() != count || !follows {
                return Ok(None);
            }
            stretch::write(shelf, &wanted, records).await?;
            wanted.file()
        };
        archive.check_lock()?;
        stretches.push(file);
        position = last;
        let (done, total) = (position - head.first + 1, head.position - head.first + 1);
        let count = |records: i64| u64::try_from(records).unwrap_or(0);
        watch(Step { phase: "audit trail", done: count(done), total: count(total) });
    }
    let there: HashSet<String> = there.into_iter().collect();
    let (archives, problems) = bring_archives(archive, audited, &signed, &there).await?;
    let text = serde_json::to_vec(&signed)
        .map_err(|error| Error::Io(error.into(), format!("cannot write {}", Signed::name(folder))))?;
    let signed_sha256 = Hash(Sha256::digest(&text).into());
    shelf.put(&Signed::name(folder), text.into()).await?;
    let Head { position: last, hash, event, first, before } = head;
    Ok(Some(KeptTrail { first, before, last, hash, event, stretches, archives, signed_sha256, problems }))
}

async fn view(r: &Reader) -> berth_catalog::Result<(Head, Signed)> {
    Ok((head::find(r).await?, Signed::read(r, i64::MIN, i64::MIN).await?))
}

/// Returns the hash of a record; `None` if it is gone.
async fn hash_at(trail: &Trail, head: &Head, position: i64) -> Result<Option<Hash>> {
    if position == head.position {
        return Ok(Some(head.hash));
    }
    let found = trail.read(async |r| trail::list(r, position - 1, 1).await).await?;
    Ok(found.first().filter(|record| record.position == position).map(|record| record.hash))
}

/// Copies the archives that are not there yet. What is missing or changed is a problem, and ends nothing.
async fn bring_archives(
    archive: &Archive,
    audited: Audited<'_>,
    signed: &Signed,
    there: &HashSet<String>,
) -> Result<(Vec<Hash>, Vec<String>)> {
    let (mut kept, mut problems) = (Vec::with_capacity(signed.archived.len().min(PAGE)), Vec::new());
    for statement in &signed.archived {
        let path = archive_path(&statement.sha256);
        if !there.contains(&path) {
            let found = match audited.archives {
                Some(shelf) => shelf.get(&statement.file).await?,
                None => None,
            };
            let Some(packed) = found else {
                problems.push(format!("{}: the archive is not where the server puts them", statement.file));
                continue;
            };
            if Hash(Sha256::digest(&packed).into()) != statement.sha256 {
                problems.push(format!("{}: the archive is not the one that was signed for", statement.file));
                continue;
            }
            archive.shelf().put(&path, packed).await?;
        }
        archive.check_lock()?;
        kept.push(statement.sha256);
    }
    Ok((kept, problems))
}
