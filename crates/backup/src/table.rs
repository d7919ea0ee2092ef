//! Files of rows: one JSON object a line, with the hash of all.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use berth_catalog::Reader;
use berth_catalog::export::{Exported, Key};
use sha2::{Digest as _, Sha256};

use crate::error::{At as _, Error, Result};
use crate::point::TableFile;

/// Hashes what passes through.
struct Hashed<T> {
    inner: T,
    hasher: Sha256,
    bytes: u64,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.take(&buffer[..read]);
        Ok(read)
    }
}

/// Writes a table of the catalog into a file, durably. `see` is shown each row.
pub(crate) async fn write<T: Exported>(
    r: &Reader,
    directory: &Path,
    page: usize,
    mut see: impl FnMut(T),
) -> Result<TableFile> {
    let name = format!("{}.jsonl", T::NOUN);
    let path = directory.join(&name);
    let file = File::create_new(&path).at("make", &path)?;
    let mut out = BufWriter::with_capacity(1 << 20, Hashed::new(file));
    let (mut key, mut rows) = (Key::default(), 0);
    loop {
        let listed = T::page(r, &key, page).await?;
        let is_last = listed.len() < page;
        for (at, row) in listed {
            serde_json::to_writer(&mut out, &row).map_err(io::Error::from).at("write", &path)?;
            out.write_all(b"\n").at("write", &path)?;
            (key, rows) = (at, rows + 1);
            see(row);
        }
        if is_last {
            break;
        }
    }
    let Hashed { inner, hasher, bytes } =
        out.into_inner().map_err(io::IntoInnerError::into_error).at("write", &path)?;
    inner.sync_all().at("sync", &path)?;
    Ok(TableFile { name, rows, bytes, sha256: hex::encode(hasher.finalize()) })
}

/// Reads a file of rows, one after the other, and compares it with what the summary says of it at its end.
pub(crate) struct Rows<T> {
    path: PathBuf,
    expected: TableFile,
    input: BufReader<Hashed<File>>,
    line: Vec<u8>,
    count: u64,
    row: std::marker::PhantomData<T>,
}

impl<T: Exported> Rows<T> {
    pub(crate) fn open(directory: &Path, files: &[TableFile]) -> Result<Self> {
        let name = format!("{}.jsonl", T::NOUN);
        let path = directory.join(&name);
        let expected = files.iter().find(|file| file.name == name).cloned().ok_or_else(|| {
            Error::Damaged { file: path.display().to_string(), reason: "backup.json does not name it".into() }
        })?;
        let file = File::open(&path).at("open", &path)?;
        let input = BufReader::with_capacity(1 << 20, Hashed::new(file));
        Ok(Self { path, expected, input, line: Vec::new(), count: 0, row: std::marker::PhantomData })
    }

    /// Returns up to `limit` rows; none at the end.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a line or, at the end, the whole file is not what was written.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(row) = self.row()?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Shows every row, one in memory at a time.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn each(mut self, mut see: impl FnMut(T)) -> Result<()> {
        while let Some(row) = self.row()? {
            see(row);
        }
        Ok(())
    }

    fn row(&mut self) -> Result<Option<T>> {
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line).at("read", &self.path)?;
        if read == 0 {
            return self.compare().map(|()| None);
        }
        let row = serde_json::from_slice(&self.line)
            .map_err(|error| self.damaged(format!("line {}: {error}", self.count + 1)))?;
        self.count += 1;
        Ok(Some(row))
    }

    /// Rows in all, as the summary says.
    pub(crate) fn total(&self) -> u64 {
        self.expected.rows
    }

    fn compare(&self) -> Result<()> {
        let hashed = self.input.get_ref();
        let sha256 = hex::encode(hashed.hasher.clone().finalize());
        let same = (self.count, hashed.bytes, &sha256)
            == (self.expected.rows, self.expected.bytes, &self.expected.sha256);
        if same { Ok(()) } else { Err(self.damaged("its hash is not the one in backup.json".into())) }
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { file: self.path.display().to_string(), reason }
    }
}
