//! Files of rows: one JSON object a line, with the hash of all.

use std::marker::PhantomData;
use std::sync::Arc;

use berth_blobs::{BlobReader, Shelf, ShelfWriter};
use berth_catalog::Reader;
use berth_catalog::export::{Exported, Key};
use bytes::{Buf as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::point::TableFile;

/// Bytes read and written at a time.
const STEP_BYTES: usize = 1 << 20;

/// Waits for something else than the catalog while a snapshot of it is open, whose body must not await that. Needs a runtime of
/// several threads.
fn in_place<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(work))
}

/// Writes a table of the catalog into a file, durably. `see` is shown each row.
pub(crate) async fn write<T: Exported>(
    r: &Reader,
    (shelf, folder): (&Shelf, &str),
    page: usize,
    see: impl FnMut(T),
) -> Result<TableFile> {
    let name = format!("{}.jsonl", T::NOUN);
    let mut writer = in_place(shelf.writer(&format!("{folder}/{name}"), 0))?;
    match fill(r, &mut writer, page, see).await {
        Ok((rows, bytes, sha256)) => {
            in_place(writer.finish())?;
            Ok(TableFile { name, rows, bytes, sha256 })
        }
        Err(error) => {
            in_place(writer.discard());
            Err(error)
        }
    }
}

/// Returns the number of rows and bytes, and their hash.
async fn fill<T: Exported>(
    r: &Reader,
    writer: &mut ShelfWriter,
    page: usize,
    mut see: impl FnMut(T),
) -> Result<(u64, u64, String)> {
    let (mut key, mut rows, mut bytes) = (Key::default(), 0, 0);
    let (mut hasher, mut lines) = (Sha256::new(), Vec::new());
    loop {
        let listed = T::page(r, &key, page).await?;
        let is_last = listed.len() < page;
        for (at, row) in listed {
            serde_json::to_writer(&mut lines, &row)
                .map_err(|error| Error::Io(error.into(), format!("cannot write {}.jsonl", T::NOUN)))?;
            lines.push(b'\n');
            (key, rows) = (at, rows + 1);
            see(row);
        }
        if lines.len() >= STEP_BYTES || is_last {
            hasher.update(&lines);
            bytes += lines.len() as u64;
            in_place(writer.write(std::mem::take(&mut lines).into()))?;
        }
        if is_last {
            return Ok((rows, bytes, hex::encode(hasher.finalize())));
        }
    }
}

/// Reads a file of rows, one after the other, and compares it with what the summary says of it at its end.
pub(crate) struct Rows<T> {
    path: String,
    expected: TableFile,
    input: Arc<dyn BlobReader>,
    /// Bytes read.
    read: u64,
    hasher: Sha256,
    /// What was read and not shown yet.
    buffer: BytesMut,
    /// Bytes of it in which no line ends.
    scanned: usize,
    count: u64,
    row: PhantomData<fn() -> T>,
}

impl<T: Exported> Rows<T> {
    pub(crate) async fn open(shelf: &Shelf, folder: &str, files: &[TableFile]) -> Result<Self> {
        let name = format!("{}.jsonl", T::NOUN);
        let path = format!("{shelf}/{folder}/{name}");
        let damaged = |reason: &str| Error::Damaged { file: path.clone(), reason: reason.to_owned() };
        let expected = files
            .iter()
            .find(|file| file.name == name)
            .cloned()
            .ok_or_else(|| damaged("backup.json does not name it"))?;
        let input = match shelf.open(&format!("{folder}/{name}")).await {
            Err(berth_blobs::Error::NotFound) => return Err(damaged("it is missing")),
            opened => opened?,
        };
        Ok(Self {
            path,
            expected,
            input,
            read: 0,
            hasher: Sha256::new(),
            buffer: BytesMut::new(),
            scanned: 0,
            count: 0,
            row: PhantomData,
        })
    }

    /// Returns up to `limit` rows; none at the end.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a line or, at the end, the whole file is not what was written.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(row) = self.row().await?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Shows every row, one in memory at a time.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn each(mut self, mut see: impl FnMut(T)) -> Result<()> {
        while let Some(row) = self.row().await? {
            see(row);
        }
        Ok(())
    }

    async fn row(&mut self) -> Result<Option<T>> {
        let Some(line) = self.line().await? else { return self.compare().map(|()| None) };
        let row = serde_json::from_slice(&line)
            .map_err(|error| self.damaged(format!("line {}: {error}", self.count + 1)))?;
        self.count += 1;
        Ok(Some(row))
    }

    async fn line(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(at) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') {
                let line = self.buffer.split_to(self.scanned + at).freeze();
                self.buffer.advance(1);
                self.scanned = 0;
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            let bytes = match self.input.read(self.read, STEP_BYTES).await {
                Err(error @ berth_blobs::Error::Truncated { .. }) => {
                    return Err(self.damaged(error.to_string()));
                }
                read => read?,
            };
            if bytes.is_empty() {
                self.scanned = 0;
                let rest = self.buffer.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            self.read += bytes.len() as u64;
            self.hasher.update(&bytes);
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// Rows in all, as the summary says.
    pub(crate) fn total(&self) -> u64 {
        self.expected.rows
    }

    fn compare(&self) -> Result<()> {
        let sha256 = hex::encode(self.hasher.clone().finalize());
        let same = (self.count, self.read, &sha256)
            == (self.expected.rows, self.expected.bytes, &self.expected.sha256);
        if same { Ok(()) } else { Err(self.damaged("its hash is not the one in backup.json".into())) }
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { file: self.path.clone(), reason }
    }
}
