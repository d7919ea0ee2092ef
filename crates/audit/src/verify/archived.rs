//! What left the trail, before the trail that goes on behind it: each stretch must be signed for, and lie where that says.

use berth_blobs::Shelf;
use berth_catalog::trail::archived::{self, Archived};
use berth_catalog::trail::{Hash, Trail};
use sha2::{Digest as _, Sha256};

use super::Request;
use super::chain::Chain;
use super::checkpoints::Checkpoints;
use super::damage::{Damage, Kind};
use crate::archive::{self, Archive};
use crate::error::Result;
use crate::statement::is_signed;

/// Statements read at a time.
const BATCH: usize = 500;

/// Reads all statements, in order, and the archives that they name.
pub(super) async fn read(
    trail: &Trail,
    request: &Request<'_>,
    chain: &mut Chain<'_>,
    signed: &mut Checkpoints,
) -> Result<()> {
    let mut position = 0;
    loop {
        let statements = trail.read(async |r| archived::list(r, position, BATCH).await).await?;
        let Some(last) = statements.last() else { return Ok(()) };
        position = last.last;
        for statement in &statements {
            follow(statement, request, chain, signed).await?;
        }
    }
}

async fn follow(
    statement: &Archived,
    request: &Request<'_>,
    chain: &mut Chain<'_>,
    signed: &mut Checkpoints,
) -> Result<()> {
    let Archived { first, last, hash, file, kid, .. } = statement;
    if !request.keys.is_empty() && !is_signed(statement, &request.keys) {
        let what = format!(
            "what is said of records {first} to {last}, that they were archived, is not signed by a key that counts (key {kid})"
        );
        chain.report().damage.push(Damage::new(*first, Kind::Forged, what));
        return Ok(());
    }
    let (reached, _) = chain.position();
    if *first > reached + 1 {
        // Said once, where the trail begins or goes on.
        chain.unsaid(reached + 1, first - 1);
    }
    if let Some(shelf) = request.archives {
        match open(statement, shelf, request).await? {
            Err(damage) => chain.report().damage.push(damage),
            Ok(archive) => see(&archive, file, chain, signed).await?,
        }
    }
    // Whatever became of the file: the trail goes on from what was signed.
    if request.archives.is_none() || chain.position() != (*last, Some(*hash)) {
        chain.skip(*last, *hash);
    }
    Ok(())
}

/// Reads an archive, if it is the one that was signed for.
async fn open(statement: &Archived, shelf: &Shelf, request: &Request<'_>) -> Result<Result<Archive, Damage>> {
    let Archived { first, last, hash, file, sha256, .. } = statement;
    let damage = |kind, what: String| Ok(Err(Damage::new(*first, kind, what)));
    let Some(packed) = shelf.get(file).await? else {
        let what = format!("archive {file} of records {first} to {last} is not in {shelf}");
        return damage(Kind::Removed, what);
    };
    if Hash(Sha256::digest(&packed).into()) != *sha256 {
        return damage(Kind::Altered, format!("archive {file} is not the file that was signed for"));
    }
    match archive::read(file, &packed) {
        Err(error) => damage(Kind::Altered, error.to_string()),
        Ok(archive) if !request.keys.is_empty() && !request.keys.contains(&archive.signed_by) => {
            damage(Kind::Forged, format!("archive {file} is not signed by a key that counts"))
        }
        Ok(archive)
            if archive.records.last().is_none_or(|end| (end.position, end.hash) != (*last, *hash)) =>
        {
            damage(Kind::Altered, format!("archive {file} does not end with the record that was signed for"))
        }
        Ok(archive) => Ok(Ok(archive)),
    }
}

/// Looks at the records of an archive, which may overlap the one before.
async fn see(archive: &Archive, file: &str, chain: &mut Chain<'_>, signed: &mut Checkpoints) -> Result<()> {
    let (position, hash) = chain.position();
    let goes_on = archive.records.first().is_some_and(|first| first.position == position + 1);
    if goes_on && hash.is_some_and(|hash| hash != archive.before) {
        let what = format!("archive {file} does not go on from the record before");
        chain.report().damage.push(Damage::new(position + 1, Kind::Altered, what));
    }
    for record in archive.records.iter().filter(|record| record.position > position) {
        signed.see(record, chain.report());
        chain.see_archived(record).await?;
        chain.report().archived += 1;
    }
    Ok(())
}
