//! Files of records.

use std::io::{Read as _, Write as _};

use berth_blobs::Shelf;
use berth_catalog::trail::{Hash, Record};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::TRAIL;
use crate::error::{Error, Result};

/// Records to a file. Files end at multiples of this, so all but a point's last one are the next point's, too.
pub(super) const LENGTH: i64 = 20_000;
/// Largest file that is read, unpacked: many times what is written.
const LARGEST_BYTES: u64 = 1 << 30;
/// Digits of a hash in a name.
const DIGITS: usize = 16;

/// Where a file's records lie in which chain, as its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) first: i64,
    pub(super) last: i64,
    hash: String,
}

impl Name {
    pub(super) fn new(first: i64, last: i64, hash: &Hash) -> Self {
        let mut hash = hash.to_string();
        hash.truncate(DIGITS);
        Self { first, last, hash }
    }

    pub(super) fn parse(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?.strip_suffix(".jsonl.gz")?;
        let mut parts = name.split('-');
        let (first, last, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let name = Self { first: first.parse().ok()?, last: last.parse().ok()?, hash: hash.to_owned() };
        (path_of(&name) == path).then_some(name)
    }

    /// Tells whether a file holds all that this one would.
    pub(super) fn is_in(&self, other: &Self) -> bool {
        other.first <= self.first && (other.last, &other.hash) == (self.last, &self.hash)
    }

    pub(super) fn file(&self) -> String {
        format!("{:020}-{:020}-{}.jsonl.gz", self.first, self.last, self.hash)
    }
}

fn path_of(name: &Name) -> String {
    path(&name.file())
}

/// Returns where a file lies.
pub(super) fn path(file: &str) -> String {
    format!("{TRAIL}/{file}")
}

pub(super) async fn write(shelf: &Shelf, name: &Name, records: Vec<Record>) -> Result<()> {
    let path = path_of(name);
    let failed = |error: std::io::Error| Error::Io(error, format!("cannot write {shelf}/{path}"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for record in records {
        serde_json::to_writer(&mut packed, &record.without_plain()).map_err(|error| failed(error.into()))?;
        packed.write_all(b"\n").map_err(failed)?;
    }
    let packed = packed.finish().map_err(failed)?;
    Ok(shelf.put(&path, packed.into()).await?)
}

/// Reads the records of a file.
///
/// # Errors
/// [`Error::Damaged`] if it is not there, or can't be read.
pub(super) async fn read(shelf: &Shelf, file: &str) -> Result<Vec<Record>> {
    let path = path(file);
    let damaged = |reason: String| Error::Damaged { file: format!("{shelf}/{path}"), reason };
    let packed = shelf.get(&path).await?.ok_or_else(|| damaged("it is missing".into()))?;
    let mut text = Vec::new();
    GzDecoder::new(&packed[..])
        .take(LARGEST_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| damaged(format!("it can't be unpacked: {error}")))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).map_err(|error| damaged(error.to_string())))
        .collect::<Result<Vec<_>>>()
}
