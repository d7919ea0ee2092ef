//! A move into another database and another store, beside whoever serves the old ones.
//!
//! [`Move::settle`] may be called, and interrupted, as often as one likes: it goes on where it was. [`Move::switch`] makes the new
//! side the truth. What holds the two together is in `berth_catalog::moving`.

mod pass;
mod report;
mod switch;

use std::sync::Arc;

use berth_blobs::Blobs;
use berth_catalog::moving::{self, Moving, Row, Table, Target};
use berth_catalog::{Catalog, blob, event};
use futures_util::StreamExt as _;
use parking_lot::Mutex;

pub use switch::Switched;

use self::report::Report;
use crate::content::Kept;
use crate::error::{Error, Result};
use crate::trail::{self, Audited};
use crate::{Placed, Problem, Step, Watch};

/// Rows read at a time; fewer when they are long.
const PAGE: usize = 8192;
/// Of blobs fewer: each may mean a copy, and what a page did is done again when the command is killed.
const BLOBS: usize = 1024;
/// Blobs copied at a time.
const COPIES: usize = 8;
/// Passes over what changed, at most: each has less to do than the one before.
const PASSES: usize = 8;
/// A pass that takes in no more is as good as the last one.
const FEW: u64 = 1000;
/// Blobs named in an error, at most.
const NAMED: usize = 8;
/// Events compared at a time.
const EVENTS: usize = 256;

/// Both sides of a move.
pub struct Move<'a> {
    source: &'a Catalog,
    from: &'a dyn Blobs,
    moving: Moving,
    target: Target,
    new: &'a Catalog,
    placed: Arc<Placed>,
    problems: Mutex<Vec<Problem>>,
    report: Report,
    watch: Watch<'a>,
    /// The audit trail, where it lies and where it goes.
    trail: Option<(Audited<'a>, Audited<'a>)>,
}

/// What the new side has, but for what changes from here on.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Rows of all tables.
    pub rows: u64,
    /// Rows that had changed meanwhile and were taken in again.
    pub changed: u64,
    /// What is not whole, among what was copied now.
    pub problems: Vec<Problem>,
    /// Blobs that are damaged in the new catalog.
    pub damaged: u64,
    /// First event whose hash is wrong, if one is.
    pub broken_event: Option<i64>,
    /// Records of the audit trail that came over now.
    pub records: u64,
}

impl<'a> Move<'a> {
    /// Goes on with a move whose source is `moving` and whose target is claimed for it.
    pub fn new(
        (source, from): (&'a Catalog, &'a dyn Blobs),
        moving: Moving,
        (target, new): (Target, &'a Catalog),
        placed: Placed,
        watch: Watch<'a>,
    ) -> Self {
        let report = Report::start(source.clone(), moving.worker.clone());
        let placed = Arc::new(placed);
        Self {
            source,
            from,
            moving,
            target,
            new,
            placed,
            problems: Mutex::default(),
            report,
            watch,
            trail: None,
        }
    }

    /// Brings the audit trail along.
    #[must_use]
    pub fn with_trail(self, from: Audited<'a>, to: Audited<'a>) -> Self {
        Self { trail: Some((from, to)), ..self }
    }

    /// Brings what the new side lacks of the audit trail.
    async fn bring_trail(&self) -> Result<u64> {
        let Some((from, to)) = self.trail else { return Ok(0) };
        let brought = trail::bring_trail(from, to, self.watch).await?;
        trail::forget(self.source, to.trail, self.moving.started_at).await?;
        Ok(brought)
    }

    /// Copies everything, in no hurry, and compares both sides whole. Ends when few changes are left.
    ///
    /// # Errors
    /// Among others `Differs` when the sides are not the same, `TakenOver` when another command works the move.
    pub async fn settle(&mut self) -> Result<Settled> {
        self.placed.tidy().await?;
        self.retry().await?;
        self.fill().await?;
        let mut settled = Settled::default();
        for _ in 0..PASSES {
            let rows = self.pass(false).await?.rows;
            settled.changed += rows;
            // Now the rows are those of one moment.
            self.say("indexes", 0, 0);
            let made = self.target.make_keys().await?;
            if rows <= FEW && !made {
                break;
            }
        }
        let last = self.pass(true).await?;
        settled.changed += last.rows;
        settled.rows = last.whole;
        settled.broken_event = self.new.read(async |r| event::verify(r, EVENTS).await).await?;
        settled.damaged = self.target.damaged().await?.len() as u64;
        settled.problems = std::mem::take(&mut self.problems.lock());
        settled.records = self.bring_trail().await?;
        self.say("waiting for the switch", 0, 0);
        self.report.write().await?;
        Ok(settled)
    }

    /// Has an earlier run's copies that failed made again: a disk may have come back.
    async fn retry(&self) -> Result<()> {
        let damaged = self.target.damaged().await?;
        if !damaged.is_empty() {
            self.source.write(async move |tx| moving::again(tx, &damaged).await).await?;
        }
        Ok(())
    }

    /// Refuses to go on while the new side lacks bytes of blobs that are whole as far as the old one knows.
    async fn refuse_lost(&self) -> Result<()> {
        let damaged = self.target.damaged().await?;
        let lost = self.source.read(async |r| moving::healthy(r, &damaged).await).await?;
        if lost.is_empty() {
            return Ok(());
        }
        let more =
            if lost.len() > NAMED { format!(" and {} more", lost.len() - NAMED) } else { String::new() };
        let named: Vec<_> = lost.into_iter().take(NAMED).collect();
        Err(Error::Lost(named.join(", ") + &more))
    }

    /// Copies what has not changed since the move began, table by table.
    async fn fill(&mut self) -> Result<()> {
        let source = self.source;
        while let Some(table) = moving::tables().nth(self.target.progress().tables) {
            let total = source.read(async |r| moving::count(r, table).await).await?;
            let limit = if table.has_bytes() { BLOBS } else { PAGE };
            loop {
                let after = self.target.progress().after.clone();
                let mut rows = source.read(async |r| moving::page(r, table, &after, limit).await).await?;
                self.prepare(table, &mut rows).await?;
                self.target.load(table, &rows).await?;
                if rows.is_empty() {
                    break;
                }
                self.say(table.name, self.target.progress().rows, total);
            }
        }
        Ok(())
    }

    /// Brings the bytes that rows name, and writes into the rows where they lie now.
    async fn prepare(&self, table: &Table, rows: &mut [Row]) -> Result<()> {
        if table.has_bytes() {
            let mut lacking = Vec::new();
            for row in rows.iter() {
                lacking.extend(row.stored()?);
            }
            let (total, mut done) = (lacking.iter().map(|blob| blob.size).sum(), 0);
            let copies =
                lacking.into_iter().map(async |blob| (self.placed.ensure(self.from, &blob).await, blob));
            let mut copies = futures_util::stream::iter(copies).buffer_unordered(COPIES);
            while let Some((kept, blob)) = copies.next().await {
                // A blob that was collected or healed meanwhile is noted as changed, and no problem.
                if let Kept::Damaged(reason) = kept?
                    && self.source.read(async |r| blob::is_at(r, &blob.location).await).await?
                {
                    self.problems.lock().push(Problem { digest: blob.digest, reason });
                }
                done += blob.size;
                self.say("bytes", done, total);
            }
        }
        for row in rows {
            if let Some(digest) = row.broken(table)? {
                let reason = "its bytes do not match its digest".to_owned();
                self.problems.lock().push(Problem { digest, reason });
            }
            place(&self.placed, &self.moving, table, row)?;
        }
        Ok(())
    }

    fn say(&self, phase: &'static str, done: u64, total: u64) {
        let step = Step { phase, done, total };
        self.report.set(step);
        (self.watch)(step);
    }
}

/// Writes into a row where its bytes lie in the new store. What is damaged stays so.
fn place(placed: &Placed, moving: &Moving, table: &Table, row: &mut Row) -> Result<(), berth_catalog::Error> {
    if !table.has_bytes() {
        return Ok(());
    }
    let lost_at = moving.started_at.as_microsecond();
    match row.stored()? {
        Some(blob) => row.place(placed.locate(&blob.digest, blob.size).as_deref(), lost_at),
        None if row.broken(table)?.is_some() => row.place(None, lost_at),
        None => {}
    }
    Ok(())
}

impl std::fmt::Debug for Move<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Move").field("moving", &self.moving).finish_non_exhaustive()
    }
}
