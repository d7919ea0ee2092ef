//! The driver seam: statements in, rows out. The only file, with `writer`, `reader` and `migrate`, that knows which database runs below.
//!
//! Methods are async so that a network driver can await in the same body; on SQLite they return at once.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

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
    /// Whether a transaction should be open.
    in_transaction: Cell<bool>,
    /// Why SQLite gave the transaction up by itself (full disk, I/O error, no memory).
    lost: RefCell<Option<Error>>,
}

impl Reader {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, in_transaction: Cell::new(false), lost: RefCell::new(None) }
    }

    /// Says that a transaction was opened or has ended.
    pub(crate) fn set_in_transaction(&self, open: bool) {
        self.in_transaction.set(open);
        self.lost.replace(None);
    }

    /// Returns why the transaction is lost, if it is: nothing in it can stand any more.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.lost.borrow().clone()
    }

    /// Notices a failure that took the transaction with it, so that no later statement runs outside of one.
    fn noticed<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && self.in_transaction.get()
            && self.connection.is_autocommit()
        {
            self.lost.borrow_mut().get_or_insert_with(|| error.clone());
        }
        outcome
    }

    /// Returns the first row, read by `read`, if there is one.
    pub(crate) async fn query_opt<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut read = Some(read);
        let mut found = None;
        self.each(sql, params, |row| {
            found = read.take().map(|read| read(row)).transpose()?;
            Ok(ControlFlow::Break(()))
        })
        .await?;
        Ok(found)
    }

    /// Returns every row; the statement carries its own LIMIT.
    pub(crate) async fn query<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        self.each(sql, params, |row| {
            items.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(items)
    }

    /// Hands out row after row until there are no more, or `see` has enough.
    pub(crate) async fn each(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = self.noticed(rows.next().map_err(Error::from))? {
            if see(&Row(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn prepare(&self, sql: &'static str, params: &[Param<'_>]) -> Result<rusqlite::CachedStatement<'_>> {
        if let Some(error) = self.lost() {
            return Err(error);
        }
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
        self.noticed(statement.raw_execute().map(|changed| changed as u64).map_err(Error::from))
    }
}
