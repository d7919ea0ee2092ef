//! Reads the trail of points again: every record follows the one before, and every archive is the one that was signed for.

use std::collections::{BTreeMap, HashMap};

use berth_blobs::Shelf;
use berth_catalog::trail::{Hash, Record};
use sha2::{Digest as _, Sha256};

use super::{KeptTrail, Signed, archive_path, stretch};
use crate::archive::Archive;
use crate::error::{Error, Result};

/// What is known of files that points share: each is read once.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    stretches: HashMap<String, Stretch>,
    archives: BTreeMap<Hash, bool>,
}

/// A file whose records follow each other.
#[derive(Debug)]
struct Stretch {
    first: Record,
    last: i64,
    hash: Hash,
}

impl Verifier {
    /// Reads what a point holds. Returns what is wrong.
    pub(crate) async fn point(
        &mut self,
        archive: &Archive,
        name: &str,
        kept: &KeptTrail,
    ) -> Result<Vec<String>> {
        let mut problems = kept.problems.clone();
        let (mut position, mut hash) = (kept.first - 1, kept.before);
        for file in &kept.stretches {
            match self.follow(archive.shelf(), file, position, hash).await {
                Ok(reached) => (position, hash) = reached,
                Err(Error::Damaged { file, reason }) => {
                    problems.push(format!("{file}: {reason}"));
                    return Ok(problems);
                }
                Err(error) => return Err(error),
            }
        }
        if (position, hash) != (kept.last, kept.hash) {
            problems.push(format!("the audit trail ends with record {position}, not with {}", kept.last));
        }
        let signed = read_signed(archive, name, kept).await?;
        for statement in &signed.archived {
            if kept.archives.contains(&statement.sha256)
                && !self.is_archive_whole(archive.shelf(), statement.sha256).await?
            {
                problems.push(format!("archive {} of the audit trail is missing or damaged", statement.file));
            }
        }
        Ok(problems)
    }

    /// Goes on through a file from a record that is known. Returns where it ends.
    async fn follow(&mut self, from: &Shelf, file: &str, position: i64, hash: Hash) -> Result<(i64, Hash)> {
        let damaged =
            |reason: String| Error::Damaged { file: format!("{from}/{}", stretch::path(file)), reason };
        if let Some(known) = self.stretches.get(file)
            && known.first.position == position + 1
        {
            if known.first.hash_behind(&hash) != known.first.hash {
                return Err(damaged(format!("record {} does not follow from the one before", position + 1)));
            }
            return Ok((known.last, known.hash));
        }
        let records = stretch::read(from, file).await?;
        let mut previous: Option<(i64, Hash)> = None;
        for record in &records {
            // The file may begin with records that the point's trail had no more.
            let before = if record.position == position + 1 { Some((position, hash)) } else { previous };
            let follows = before.is_none_or(|(position, hash)| {
                record.position == position + 1 && record.hash_behind(&hash) == record.hash
            });
            if !follows || (previous.is_none() && record.position > position + 1) {
                return Err(damaged(format!(
                    "record {} does not follow from the one before",
                    record.position
                )));
            }
            previous = Some((record.position, record.hash));
        }
        let (Some(first), Some((last, hash))) = (records.into_iter().next(), previous) else {
            return Err(damaged("it is empty".into()));
        };
        self.stretches.insert(file.to_owned(), Stretch { first, last, hash });
        Ok((last, hash))
    }

    async fn is_archive_whole(&mut self, from: &Shelf, sha256: Hash) -> Result<bool> {
        if let Some(known) = self.archives.get(&sha256) {
            return Ok(*known);
        }
        let packed = from.get(&archive_path(&sha256)).await?;
        let whole = packed.is_some_and(|packed| Hash(Sha256::digest(&packed).into()) == sha256);
        self.archives.insert(sha256, whole);
        Ok(whole)
    }
}

/// Reads what was signed.
///
/// # Errors
/// [`Error::Damaged`] if it is not what was written.
pub(super) async fn read_signed(archive: &Archive, name: &str, kept: &KeptTrail) -> Result<Signed> {
    let path = Signed::name(&Archive::point(name));
    let damaged = |reason: String| Error::Damaged { file: format!("{}/{path}", archive.shelf()), reason };
    let text = archive.shelf().get(&path).await?.ok_or_else(|| damaged("it is missing".into()))?;
    if Hash(Sha256::digest(&text).into()) != kept.signed_sha256 {
        return Err(damaged("its hash is not the one in backup.json".into()));
    }
    serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
}
