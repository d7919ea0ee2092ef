//! A unit of work's view of the catalog: reads, writes, events, and what they touch.

use std::ops::Deref;

use berth_oci::RepositoryName;

use crate::driver::{Param, Reader};
use crate::error::{Error, Result};
use crate::event::NewEvent;
use crate::generation::{self, stripe};
use crate::ledger;

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
    /// Stripes of those that no node may serve from memory any more.
    pub(crate) withdrawn: Vec<usize>,
    /// Events to seal at the commit, in order.
    pub(crate) events: Vec<NewEvent>,
    /// What to add to running totals.
    pub(crate) books: Vec<(&'static str, i64)>,
    /// Position of the last event sealed.
    pub(crate) sealed: Option<i64>,
}

/// How far the marks had come when a unit began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    repositories: usize,
    withdrawn: usize,
    events: usize,
    books: usize,
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
        self.reader.execute(sql, params).await
    }

    /// Changes rows where nobody asks how many. On a network the answer is heard with a later one, at last with the commit's.
    pub(crate) async fn post(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<()> {
        self.reader.post(sql, params).await
    }

    /// Notes that what `repository` serves has changed, so that no cache of this node outlives it.
    pub(crate) fn touch(&mut self, repository: &RepositoryName) {
        self.marks.repositories.push(stripe(repository));
    }

    /// Notes that something `repository` served is gone, or waits for a review that a pull puts off: no node may go on serving
    /// it from memory.
    pub(crate) fn withdraw(&mut self, repository: &RepositoryName) {
        self.touch(repository);
        self.marks.withdrawn.push(stripe(repository));
    }

    /// Notes the same of every repository.
    pub(crate) fn withdraw_all(&mut self) {
        self.marks.repositories.push(generation::ALL);
        self.marks.withdrawn.push(generation::ALL);
    }

    /// Adds to a running total at the commit.
    pub(crate) fn book(&mut self, name: &'static str, amount: i64) {
        self.marks.books.push((name, amount));
    }

    /// Counts a blob that came (1) or went (-1).
    pub(crate) fn count_blobs(&mut self, change: i64, size: u64) {
        self.book(ledger::BLOBS, change);
        self.book(ledger::BLOB_BYTES, change * i64::try_from(size).unwrap_or(i64::MAX));
    }

    pub(crate) fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// Notes how far the marks have come.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            repositories: self.marks.repositories.len(),
            withdrawn: self.marks.withdrawn.len(),
            events: self.marks.events.len(),
            books: self.marks.books.len(),
        }
    }

    /// Forgets what was marked since.
    pub(crate) fn forget(&mut self, mark: Mark) {
        self.marks.repositories.truncate(mark.repositories);
        self.marks.withdrawn.truncate(mark.withdrawn);
        self.marks.events.truncate(mark.events);
        self.marks.books.truncate(mark.books);
    }

    pub(crate) fn savepoint(&mut self) -> Result<Mark> {
        self.embedded()?.run("SAVEPOINT unit", &[])?;
        Ok(self.mark())
    }

    pub(crate) fn release(&mut self) -> Result<()> {
        self.embedded()?.run("RELEASE unit", &[]).map(drop)
    }

    pub(crate) fn rollback_to(&mut self, mark: Mark) -> Result<()> {
        self.embedded()?.run("ROLLBACK TO unit", &[])?;
        self.release()?;
        self.forget(mark);
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

impl Marks {
    /// Adds up what was booked, by total, leaving out what comes to nothing.
    pub(crate) fn take_books(&mut self) -> Vec<(&'static str, i64)> {
        let mut sums: Vec<(&'static str, i64)> = Vec::new();
        for (name, amount) in self.books.drain(..) {
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += amount,
                None => sums.push((name, amount)),
            }
        }
        sums.retain(|(_, sum)| *sum != 0);
        sums
    }
}
