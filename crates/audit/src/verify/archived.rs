//! Archives, before the trail that goes on behind them.

use std::path::Path;

use berth_catalog::trail::Record;

use super::Request;
use super::chain::Chain;
use super::checkpoints::Checkpoints;
use super::damage::{Damage, Kind};
use crate::archive;
use crate::error::Result;

/// Archives were read.
pub(super) struct Archived;

/// Reads all archives of a directory, in order.
pub(super) async fn read(
    directory: &Path,
    request: &Request<'_>,
    chain: &mut Chain<'_>,
    signed: &mut Checkpoints,
) -> Result<Archived> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if archive::is_name(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    for name in names {
        let packed = std::fs::read(directory.join(&name))?;
        let (position, hash) = chain.position();
        match archive::read(&name, &packed) {
            Err(error) => {
                chain.report().damage.push(Damage::new(position + 1, Kind::Altered, error.to_string()));
            }
            Ok(archive) if !request.keys.is_empty() && !request.keys.contains(&archive.signed_by) => {
                let what = format!("archive {name} is not signed by a key that counts");
                chain.report().damage.push(Damage::new(position + 1, Kind::Forged, what));
            }
            Ok(archive) => {
                let goes_on = archive.records.first().is_some_and(|first| first.position == position + 1);
                if goes_on && hash.is_some_and(|hash| hash != archive.before) {
                    let what = format!("archive {name} does not go on from the record before");
                    chain.report().damage.push(Damage::new(position + 1, Kind::Altered, what));
                }
                see(&archive.records, position, chain, signed).await?;
            }
        }
    }
    Ok(Archived)
}

/// An archive that was written twice may overlap the next.
async fn see(
    records: &[Record],
    position: i64,
    chain: &mut Chain<'_>,
    signed: &mut Checkpoints,
) -> Result<()> {
    for record in records.iter().filter(|record| record.position > position) {
        signed.see(record, chain.report());
        chain.see_archived(record).await?;
        chain.report().archived += 1;
    }
    Ok(())
}
