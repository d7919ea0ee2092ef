//! The embedded arm: one connection, whose lock nobody else asks for while a body runs.

use std::ops::ControlFlow;

use parking_lot::Mutex;
use rusqlite::{CachedStatement, Connection};

use super::param::Param;
use super::row::Row;
use crate::error::{Error, Result};

/// A connection, and whether its transaction still stands.
#[derive(Debug)]
pub(crate) struct Session(Mutex<State>);

#[derive(Debug)]
struct State {
    connection: Connection,
    /// Whether a transaction should be open.
    in_transaction: bool,
    /// Why SQLite gave the transaction up by itself (full disk, I/O error, no memory).
    lost: Option<Error>,
}

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(Mutex::new(State { connection, in_transaction: false, lost: None }))
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.0.into_inner().connection
    }

    /// Returns why the transaction is lost, if it is: nothing in it can stand any more.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.0.lock().lost.clone()
    }

    pub(crate) fn begin(&self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", &[])?;
        self.set_in_transaction(true);
        Ok(())
    }

    pub(crate) fn commit(&self) -> Result<()> {
        self.run("COMMIT", &[])?;
        self.set_in_transaction(false);
        Ok(())
    }

    /// Undoes what is not committed, if anything is: SQLite may have rolled back by itself.
    pub(crate) fn rollback(&self) {
        self.set_in_transaction(false);
        let open = !self.0.lock().connection.is_autocommit();
        if open && let Err(error) = self.run("ROLLBACK", &[]) {
            tracing::error!(%error, "could not roll back");
        }
    }

    /// Copies the whole write-ahead log to the database and empties it.
    pub(crate) fn truncate_log(&self) -> Result<()> {
        Ok(self.0.lock().connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    /// Hands out row after row until there are no more, or `see` has enough.
    pub(crate) fn each(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut guard = self.0.lock();
        let State { connection, in_transaction, lost } = &mut *guard;
        let mut statement = prepare(connection, lost.as_ref(), sql, params)?;
        let mut rows = statement.raw_query();
        loop {
            match rows.next() {
                Ok(None) => return Ok(()),
                Ok(Some(row)) => {
                    if see(&Row::sqlite(row))?.is_break() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(noticed(error.into(), connection, *in_transaction, lost)),
            }
        }
    }

    /// Hands out the rows of a statement that was made for this one question.
    pub(crate) fn ask(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let guard = self.0.lock();
        let mut statement = guard.connection.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            if see(&Row::sqlite(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Changes rows and returns how many.
    pub(crate) fn run(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        let mut guard = self.0.lock();
        let State { connection, in_transaction, lost } = &mut *guard;
        match prepare(connection, lost.as_ref(), sql, params)?.raw_execute() {
            Ok(changed) => Ok(changed as u64),
            Err(error) => Err(noticed(error.into(), connection, *in_transaction, lost)),
        }
    }

    fn set_in_transaction(&self, open: bool) {
        let mut state = self.0.lock();
        state.in_transaction = open;
        state.lost = None;
    }
}

/// Notices a failure that took the transaction with it, so that no later statement runs outside of one.
fn noticed(error: Error, connection: &Connection, in_transaction: bool, lost: &mut Option<Error>) -> Error {
    if in_transaction && connection.is_autocommit() {
        lost.get_or_insert_with(|| error.clone());
    }
    error
}

fn prepare<'a>(
    connection: &'a Connection,
    lost: Option<&Error>,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<CachedStatement<'a>> {
    if let Some(error) = lost {
        return Err(error.clone());
    }
    let mut statement = connection.prepare_cached(sql)?;
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
