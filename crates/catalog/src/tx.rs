//! A unit of work's view of the catalog: reads, writes, events, and what they touch.

use std::ops::Deref;

use berth_oci::RepositoryName;

use crate::driver::{Param, Reader};
use crate::error::{Error, Result};
use crate::event::NewEvent;
use crate::generation::stripe;

/// A write transaction; reads through it see its own changes.
#[derive(Debug)]
pub struct Tx {
    reader: Reader,
    marks: Marks,
    refusal: Option<Error>,
}

/// What a group did beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Stripes of the repositories whose content changed.
    pub(crate) repositories: Vec<usize>,
    /// Events to seal at the commit, in order.
    pub(crate) events: Vec<NewEvent>,
    /// Blobs added and taken away, one entry a change, with their bytes.
    pub(crate) blobs: Vec<(i64, i64)>,
    /// Position of the last event sealed.
    pub(crate) sealed: Option<i64>,
}

/// How far the marks had come when a savepoint was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    repositories: usize,
    events: usize,
    blobs: usize,
}

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Tx {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, marks: Marks::default(), refusal: None }
    }

    /// Changes rows and returns how many.
    pub(crate) async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        self.reader.run(sql, params)
    }

    /// Notes that what `repository` serves has changed, so that no cache outlives it.
    pub(crate) fn touch(&mut self, repository: &RepositoryName) {
        self.marks.repositories.push(stripe(repository));
    }

    /// Notes that what any repository serves may have changed.
    pub(crate) fn touch_all(&mut self) {
        self.marks.repositories.extend(crate::generation::all());
    }

    /// Counts a blob that came (1) or went (-1), for the totals that the group books.
    pub(crate) fn count_blobs(&mut self, change: i64, size: u64) {
        self.marks.blobs.push((change, change * i64::try_from(size).unwrap_or(i64::MAX)));
    }

    /// Adds up what the group counted, and forgets it.
    pub(crate) fn take_blob_count(&mut self) -> (i64, i64) {
        self.marks.blobs.drain(..).fold((0, 0), |sum, change| (sum.0 + change.0, sum.1 + change.1))
    }

    pub(crate) fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    pub(crate) fn begin(&mut self) -> Result<()> {
        self.reader.run("BEGIN IMMEDIATE", &[])?;
        self.reader.set_in_transaction(true);
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        self.reader.run("COMMIT", &[])?;
        self.reader.set_in_transaction(false);
        Ok(())
    }

    /// Undoes what is not committed, if anything is: SQLite may have rolled back by itself.
    pub(crate) fn rollback(&mut self) {
        self.reader.set_in_transaction(false);
        if !self.reader.connection.is_autocommit()
            && let Err(error) = self.reader.run("ROLLBACK", &[])
        {
            tracing::error!(%error, "could not roll back");
        }
    }

    pub(crate) fn savepoint(&mut self) -> Result<Mark> {
        self.reader.run("SAVEPOINT unit", &[])?;
        Ok(Mark {
            repositories: self.marks.repositories.len(),
            events: self.marks.events.len(),
            blobs: self.marks.blobs.len(),
        })
    }

    pub(crate) fn release(&mut self) -> Result<()> {
        self.reader.run("RELEASE unit", &[]).map(drop)
    }

    pub(crate) fn rollback_to(&mut self, mark: Mark) -> Result<()> {
        self.reader.run("ROLLBACK TO unit", &[])?;
        self.reader.run("RELEASE unit", &[])?;
        self.marks.repositories.truncate(mark.repositories);
        self.marks.events.truncate(mark.events);
        self.marks.blobs.truncate(mark.blobs);
        Ok(())
    }

    pub(crate) fn refuse_with(&mut self, error: Error) {
        self.refusal = Some(error);
    }

    pub(crate) fn refusal(&self) -> Option<Error> {
        self.refusal.clone()
    }

    /// Ends the group and returns what it did.
    pub(crate) fn end(&mut self) -> Marks {
        self.refusal = None;
        std::mem::take(&mut self.marks)
    }
}
