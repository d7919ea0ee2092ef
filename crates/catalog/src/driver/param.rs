//! Values that go into a statement, as both drivers take them.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type};

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

impl Param<'_> {
    /// Returns the type to name where the server prepares nothing: NULL takes the one that its place in the statement has.
    pub(crate) fn postgres_type(&self) -> Type {
        match self {
            Param::Null => Type::UNKNOWN,
            Param::Int(_) => Type::INT8,
            Param::Text(_) => Type::TEXT,
            Param::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match *self {
            Param::Null => return Ok(IsNull::Yes),
            Param::Int(value) if *ty == Type::INT8 => out.put_i64(value),
            // Text on Postgres can't hold the character NUL, which a client may write into an artifact type, say.
            Param::Text(value) if *ty == Type::TEXT && value.contains('\0') => {
                out.put_slice(value.replace('\0', "\u{fffd}").as_bytes());
            }
            Param::Text(value) if *ty == Type::TEXT => out.put_slice(value.as_bytes()),
            Param::Bytes(value) if *ty == Type::BYTEA => out.put_slice(value),
            other => return Err(format!("the statement wants {ty}, not {other:?}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A value of its own, for a statement that is still on its way when the caller goes on.
#[derive(Debug)]
pub(crate) enum Owned {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Owned {
    fn borrow(&self) -> Param<'_> {
        match self {
            Self::Null => Param::Null,
            Self::Int(value) => Param::Int(*value),
            Self::Text(value) => Param::Text(value),
            Self::Bytes(value) => Param::Bytes(value),
        }
    }

    pub(crate) fn postgres_type(&self) -> Type {
        self.borrow().postgres_type()
    }
}

impl From<&Param<'_>> for Owned {
    fn from(value: &Param<'_>) -> Self {
        match *value {
            Param::Null => Self::Null,
            Param::Int(value) => Self::Int(value),
            Param::Text(value) => Self::Text(value.to_owned()),
            Param::Bytes(value) => Self::Bytes(value.to_owned()),
        }
    }
}

impl ToSql for Owned {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.borrow().to_sql(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
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
