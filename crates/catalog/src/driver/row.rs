//! Values that come out of a statement, as both drivers hand them.

use berth_oci::Digest;
use jiff::Timestamp;
use rusqlite::types::ValueRef;

use crate::clock::from_micros;
use crate::error::{Error, Result};

/// One row of a result, read by column position.
#[derive(Debug)]
pub(crate) struct Row<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    pub(crate) fn sqlite(row: &'a rusqlite::Row<'a>) -> Self {
        Self(Source::Sqlite(row))
    }

    pub(crate) fn postgres(row: &'a tokio_postgres::Row) -> Self {
        Self(Source::Postgres(row))
    }
}

impl Row<'_> {
    /// Reads an integer.
    pub(crate) fn int(&self, column: usize) -> Result<i64> {
        match self.0 {
            Source::Sqlite(row) => Ok(row.get(column)?),
            Source::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Reads an integer that may be NULL.
    pub(crate) fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        match self.0 {
            Source::Sqlite(row) => Ok(row.get(column)?),
            Source::Postgres(row) => Ok(row.try_get(column)?),
        }
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
        self.text_opt(column)?.ok_or_else(|| null("text column", column))
    }

    /// Reads text that may be NULL.
    pub(crate) fn text_opt(&self, column: usize) -> Result<Option<&str>> {
        match self.0 {
            Source::Postgres(row) => Ok(row.try_get(column)?),
            Source::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(None),
                other => Ok(Some(other.as_str().map_err(|error| other_type("text column", &error))?)),
            },
        }
    }

    /// Reads bytes that may be NULL, without copying them.
    pub(crate) fn bytes_opt(&self, column: usize) -> Result<Option<&[u8]>> {
        match self.0 {
            Source::Postgres(row) => Ok(row.try_get(column)?),
            Source::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(None),
                other => Ok(Some(other.as_blob().map_err(|error| other_type("bytes column", &error))?)),
            },
        }
    }

    /// Reads bytes.
    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.bytes_opt(column)?.ok_or_else(|| null("bytes column", column))
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

fn null(what: &'static str, column: usize) -> Error {
    Error::Invalid { what, value: format!("NULL in column {column}") }
}

fn other_type(what: &'static str, error: &rusqlite::types::FromSqlError) -> Error {
    Error::Invalid { what, value: error.to_string() }
}
