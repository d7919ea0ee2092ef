//! The driver seam: statements in, rows out. Above it nobody knows which database runs below.
//!
//! Methods are async for the network's sake; on SQLite they return at once.

mod param;
mod row;
pub(crate) mod sqlite;

use std::ops::ControlFlow;

pub(crate) use param::{Owned, Param, params};
pub(crate) use row::{Row, parse};

use crate::error::{Error, Result};
use crate::postgres;

/// Reads the catalog: each statement sees the latest commit, in a [`Tx`](crate::Tx) one moment and its own changes.
#[derive(Debug)]
pub struct Reader(Arm);

#[derive(Debug)]
enum Arm {
    Sqlite(sqlite::Session),
    Postgres(Box<postgres::Session>),
}

impl Reader {
    pub(crate) fn sqlite(session: sqlite::Session) -> Self {
        Self(Arm::Sqlite(session))
    }

    pub(crate) fn postgres(session: postgres::Session) -> Self {
        Self(Arm::Postgres(Box::new(session)))
    }

    /// Returns the embedded arm; asked only where that is what was built.
    pub(crate) fn embedded(&self) -> Result<&sqlite::Session> {
        match &self.0 {
            Arm::Sqlite(session) => Ok(session),
            Arm::Postgres(_) => Err(Error::Closed),
        }
    }

    /// Returns the network arm, if that is what the catalog lies on.
    pub(crate) fn shared(&self) -> Option<&postgres::Session> {
        match &self.0 {
            Arm::Sqlite(_) => None,
            Arm::Postgres(session) => Some(session),
        }
    }

    /// Gives back the embedded arm's connection.
    pub(crate) fn into_connection(self) -> Option<rusqlite::Connection> {
        match self.0 {
            Arm::Sqlite(session) => Some(session.into_connection()),
            Arm::Postgres(_) => None,
        }
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
        see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match &self.0 {
            Arm::Sqlite(session) => session.each(sql, params, see),
            // Boxed, so that the embedded arm does not carry the network's state machine about.
            Arm::Postgres(session) => Box::pin(session.each(sql, params, see)).await.map(drop),
        }
    }

    /// Returns every row of a statement that was made for this one question.
    pub(crate) async fn ask<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let see = |row: &Row<'_>| {
            items.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        };
        match &self.0 {
            Arm::Sqlite(session) => session.ask(sql, params, see)?,
            Arm::Postgres(session) => Box::pin(session.ask(sql, params, see)).await?,
        }
        Ok(items)
    }

    /// Changes rows and waits for no answer where that takes time; only a [`Tx`](crate::Tx) may.
    pub(crate) async fn post(&self, sql: &'static str, params: &[Param<'_>]) -> Result<()> {
        match &self.0 {
            Arm::Sqlite(session) => session.run(sql, params).map(drop),
            Arm::Postgres(session) => Box::pin(session.post(sql, params)).await,
        }
    }

    /// Changes rows and returns how many; only a [`Tx`](crate::Tx) may.
    pub(crate) async fn execute(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        match &self.0 {
            Arm::Sqlite(session) => session.run(sql, params),
            Arm::Postgres(session) => {
                Box::pin(session.each(sql, params, |_| Ok(ControlFlow::Continue(())))).await
            }
        }
    }
}
