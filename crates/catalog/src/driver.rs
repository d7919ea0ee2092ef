//! The driver seam: statements in, rows out. The only file, with `writer`, `reader` and `migrate`, that knows which database runs below.
//!
//! Methods are async so that a network driver can await in the same body; on SQLite they return at once.

use berth_oci::Digest;
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::clock::from_micros;
use crate::error::{Error, Result};

/// A value bound to `$1`, `$2` …
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param<'a> {
    /// SQL NULL.
    Null,
    /// Ids, sizes, counts, microseconds, booleans as 0 and 1.
    Int(i64),
    /// Names, digests, JSON.
    Text(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Param::Int(value)
    }
}
impl From<u64> for Param<'_> {
    fn from(value: u64) -> Self {
        Param::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<usize> for Param<'_> {
    fn from(value: usize) -> Self {
        Param::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<Timestamp> for Param<'_> {
    fn from(value: Timestamp) -> Self {
        Param::Int(value.as_microsecond())
    }
}
impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Param::Text(value)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Param::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Param::Bytes(value)
    }
}
impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

/// Binds values in the order of their placeholders.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::driver::Param::from($value)),*] };
}
pub(crate) use params;

/// One row of a result, read by column position.
#[derive(Debug)]
pub(crate) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// Reads an integer.
    pub(crate) fn int(&self, column: usize) -> Result<i64> {
        Ok(self.0.get(column)?)
    }

    /// Reads an integer that may be NULL.
    pub(crate) fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        Ok(self.0.get(column)?)
    }

    /// Reads a count or size; the schema never stores a negative one.
    pub(crate) fn size(&self, column: usize) -> Result<u64> {
        Ok(u64::try_from(self.int(column)?).unwrap_or(0))
    }

    /// Reads a time.
    pub(crate) fn time(&self, column: usize) -> Result<Timestamp> {
        self.int(column).map(from_micros)
    }

    /// Reads a time that may be NULL.
    pub(crate) fn time_opt(&self, column: usize) -> Result<Option<Timestamp>> {
        Ok(self.int_opt(column)?.map(from_micros))
    }

    /// Reads text without copying it.
    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        self.text_opt(column)?
            .ok_or(Error::Invalid { what: "text column", value: format!("NULL in column {column}") })
    }

    /// Reads text that may be NULL.
    pub(crate) fn text_opt(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            other => Ok(Some(
                other
                    .as_str()
                    .map_err(|error| Error::Invalid { what: "text column", value: error.to_string() })?,
            )),
        }
    }

    /// Reads bytes that may be NULL, without copying them.
    pub(crate) fn bytes_opt(&self, column: usize) -> Result<Option<&[u8]>> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            other => Ok(Some(
                other
                    .as_blob()
                    .map_err(|error| Error::Invalid { what: "bytes column", value: error.to_string() })?,
            )),
        }
    }

    /// Reads bytes.
    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.bytes_opt(column)?
            .ok_or(Error::Invalid { what: "bytes column", value: format!("NULL in column {column}") })
    }

    /// Reads text and parses it to one of the specification's types.
    pub(crate) fn parse<T: std::str::FromStr>(&self, column: usize, what: &'static str) -> Result<T> {
        parse(self.text(column)?, what)
    }

    /// Reads a digest.
    pub(crate) fn digest(&self, column: usize) -> Result<Digest> {
        self.parse(column, "digest")
    }
}

pub(crate) fn parse<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T> {
    text.parse().map_err(|_| Error::Invalid { what, value: text.to_owned() })
}

/// Reads the catalog: each statement sees the latest commit, in a [`Tx`](crate::Tx) also its own changes.
#[derive(Debug)]
pub struct Reader {
    pub(crate) connection: Connection,
}

impl Reader {
    /// Returns the first row, read by `read`, if there is one.
    pub(crate) async fn query_opt<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| read(&Row(row))).transpose()
    }

    /// Returns every row; the statement carries its own LIMIT.
    pub(crate) async fn query<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(read(&Row(row))?);
        }
        Ok(items)
    }

    fn prepare(&self, sql: &'static str, params: &[Param<'_>]) -> Result<rusqlite::CachedStatement<'_>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        for (index, param) in params.iter().enumerate() {
            debug_assert_eq!(
                statement.parameter_name(index + 1),
                Some(format!("${}", index + 1).as_str()),
                "placeholders must first appear in order: {sql}"
            );
            statement.raw_bind_parameter(index + 1, param)?;
        }
        Ok(statement)
    }

    pub(crate) fn run(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        let mut statement = self.prepare(sql, params)?;
        Ok(statement.raw_execute()? as u64)
    }
}
