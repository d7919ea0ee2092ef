//! Rows on their way, and the hash that tells whether both sides hold the same.

use std::fmt;

use berth_oci::Digest;
use sha2::{Digest as _, Sha256};

use super::table::{Kind, Table};
use crate::driver::{Param, Row as Read, parse};
use crate::error::{Error, Result};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn read(row: &Read<'_>, column: usize, kind: Kind) -> Result<Self> {
        let value = match kind {
            Kind::Int => row.int_opt(column)?.map(Self::Int),
            // Text on Postgres can't hold the character NUL: every way there replaces it.
            Kind::Text => row.text_opt(column)?.map(|text| Self::Text(text.replace('\0', "\u{fffd}"))),
            Kind::Bytes => row.bytes_opt(column)?.map(|bytes| Self::Bytes(bytes.to_owned())),
        };
        Ok(value.unwrap_or(Self::Null))
    }

    pub(crate) fn param(&self) -> Param<'_> {
        match self {
            Self::Null => Param::Null,
            Self::Int(value) => Param::Int(*value),
            Self::Text(text) => Param::Text(text),
            Self::Bytes(bytes) => Param::Bytes(bytes),
        }
    }
}

/// The key of a row: two numbers and a text, of which a table uses what it needs. The default lies before every row.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Key {
    pub(crate) first: i64,
    pub(crate) second: i64,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn read(row: &Read<'_>) -> Result<Self> {
        Ok(Self { first: row.int(0)?, second: row.int(1)?, name: row.text(2)?.to_owned() })
    }

    /// The values that `table` compares its key with.
    pub(crate) fn params(&self, table: &Table) -> Vec<Param<'_>> {
        let mut numbers = [self.first, self.second].into_iter();
        let param = |(_, kind): &(&str, Kind)| match kind {
            Kind::Int => Param::Int(numbers.next().unwrap_or(0)),
            Kind::Text | Kind::Bytes => Param::Text(&self.name),
        };
        table.key.iter().map(param).collect()
    }
}

/// A row of a table that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

/// Where the bytes of a blob lie, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The place.
    pub location: String,
    /// Whether they are known to be damaged.
    pub damaged: bool,
}

/// Places of the columns of `blob`.
const DIGEST: usize = 1;
const SIZE: usize = 2;
const LOCATION: usize = 3;
const DAMAGED_AT: usize = 6;
const CONTENT: usize = 7;

impl Row {
    /// Reads a row whose first column stands at `from`; `None` if its key is NULL.
    pub(crate) fn read(table: &Table, row: &Read<'_>, from: usize) -> Result<Option<Self>> {
        let values = table.columns().enumerate().map(|(at, (_, kind))| Value::read(row, from + at, kind));
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok((values.first() != Some(&Value::Null)).then_some(Self(values)))
    }

    /// Bytes that its text and bytes take.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |value: &Value| match value {
            Value::Null | Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        };
        self.0.iter().map(bytes).sum()
    }

    pub(crate) fn key(&self, table: &Table) -> Key {
        let mut key = Key::default();
        let mut numbers = 0;
        for value in self.0.iter().take(table.key.len()) {
            match value {
                Value::Int(number) if numbers == 0 => (key.first, numbers) = (*number, 1),
                Value::Int(number) => key.second = *number,
                Value::Text(text) => key.name.clone_from(text),
                Value::Null | Value::Bytes(_) => {}
            }
        }
        key
    }

    /// Returns where the bytes of a blob's row lie; `None` if they are in the row.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a digest that is none.
    pub fn stored(&self) -> Result<Option<Stored>> {
        let (Some(Value::Text(digest)), Some(Value::Int(size)), Some(Value::Text(location))) =
            (self.0.get(DIGEST), self.0.get(SIZE), self.0.get(LOCATION))
        else {
            return Ok(None);
        };
        Ok(Some(Stored {
            digest: parse(digest, "digest")?,
            size: u64::try_from(*size).unwrap_or(0),
            location: location.clone(),
            damaged: self.0.get(DAMAGED_AT).is_some_and(|value| *value != Value::Null),
        }))
    }

    /// Says where the bytes of a blob's row lie in another store. If they lie nowhere, the blob is damaged since `lost_at`, in
    /// microseconds, if it was not before.
    pub fn place(&mut self, location: Option<&str>, lost_at: i64) {
        let placed = location.is_some();
        for (at, value) in self.0.iter_mut().enumerate() {
            match at {
                LOCATION => {
                    *value = location.map_or(Value::Null, |location| Value::Text(location.to_owned()));
                }
                DAMAGED_AT if placed => *value = Value::Null,
                DAMAGED_AT if *value == Value::Null => *value = Value::Int(lost_at),
                CONTENT if !placed => *value = Value::Bytes(Vec::new()),
                _ => {}
            }
        }
    }

    /// Returns the digest of a row whose bytes lie in it and are not what the digest says.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a digest that is none.
    pub fn broken(&self, table: &Table) -> Result<Option<Digest>> {
        let at =
            |name: &str| table.columns().position(|(column, _)| column == name).and_then(|at| self.0.get(at));
        let (Some(Value::Text(digest)), Some(Value::Bytes(content))) = (at("digest"), at("content")) else {
            return Ok(None);
        };
        let digest: Digest = parse(digest, "digest")?;
        Ok((Digest::of(digest.algorithm(), content) != digest).then_some(digest))
    }
}

/// What rows come to, in the order of their keys: their number, and a hash over every value of each.
#[derive(Clone, Default)]
pub struct Fingerprint {
    rows: u64,
    hasher: Sha256,
}

impl Fingerprint {
    pub(crate) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for value in &row.0 {
            let (tag, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Int(number) => (1, &number.to_be_bytes()),
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            self.hasher.update([tag]);
            self.hasher.update((bytes.len() as u64).to_be_bytes());
            self.hasher.update(bytes);
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn sum(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// Refuses another table's rows.
    ///
    /// # Errors
    /// [`Error::Differs`] unless both come to the same.
    pub fn compare(&self, there: &Self, table: &Table) -> Result<()> {
        if self == there {
            return Ok(());
        }
        Err(Error::Differs { table: table.name, here: self.rows, there: there.rows })
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        (self.rows, self.sum()) == (other.rows, other.sum())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {}", self.rows, hex::encode(self.sum()))
    }
}
