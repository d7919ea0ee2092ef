//! One view of the source goes into the target.

use std::sync::Arc;

use berth_catalog::moving::{self, Fingerprint, Item, Point, Table};
use tokio::sync::{mpsc, oneshot};

use super::{Move, place};
use crate::error::{Error, Result};

/// Batches that wait for the target; room for what every table comes to.
const AHEAD: usize = 16;

/// What a pass did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    /// Rows that had changed.
    pub(super) rows: u64,
    /// Rows that were compared with the source's, if all were.
    pub(super) whole: u64,
}

impl Move<'_> {
    /// Takes in what changed behind the last pass; after that both sides are the same, but for what has changed since this began.
    /// With `whole`, both are read and compared.
    pub(super) async fn pass(&mut self, whole: bool) -> Result<Passed> {
        self.say("changes", 0, 0);
        let (send, mut items) = mpsc::channel(AHEAD);
        let (go, told) = oneshot::channel();
        let (source, since) = (self.source.clone(), self.target.point());
        let (placed, moving) = (Arc::clone(&self.placed), self.moving.clone());
        let reading = tokio::task::spawn_blocking(move || {
            // Whoever does not listen any more has failed, and says why.
            let see = |item| send.blocking_send(item).map_err(|_| berth_catalog::Error::Closed);
            let go = || told.blocking_recv().unwrap_or(false);
            moving::changes(&source, since, see, go, |table, row| place(&placed, &moving, table, row))
        });
        let taken = self.take(&mut items, (go, whole)).await;
        drop(items);
        let read =
            reading.await.map_err(|error| Error::Io(std::io::Error::other(error), "cannot go on".into()))?;
        match (taken, read) {
            // What the reader says is the reason, if it ended first.
            (Err(Error::Catalog(berth_catalog::Error::Closed)) | Ok(_), Err(error)) => Err(error.into()),
            (Err(error), _) => Err(error),
            (Ok(passed), Ok(point)) => {
                // The target has them for good.
                self.source.write(async move |tx| moving::forget(tx, point.change).await).await?;
                Ok(passed)
            }
        }
    }

    async fn take(
        &mut self,
        items: &mut mpsc::Receiver<Item>,
        (go, whole): (oneshot::Sender<bool>, bool),
    ) -> Result<Passed> {
        self.target.begin_changes().await?;
        let point = self.take_changes(items).await?;
        let rows = self.target.end_changes(point).await?;
        let mut passed = Passed { rows, whole: 0 };
        if go.send(whole).is_err() || !whole {
            return Ok(passed);
        }
        let total = moving::tables().len() as u64;
        for (done, table) in (0..).zip(moving::tables()) {
            self.say("comparing", done, total);
            let there = self.target.fingerprint(table).await?;
            let here = next_whole(items, table).await?;
            here.compare(&there, table)?;
            passed.whole += here.rows();
        }
        Ok(passed)
    }

    async fn take_changes(&mut self, items: &mut mpsc::Receiver<Item>) -> Result<Point> {
        let mut done = 0;
        while let Some(item) = items.recv().await {
            match item {
                Item::Rows(table, mut rows) => {
                    self.prepare(table, &mut rows).await?;
                    self.target.put(table, &rows).await?;
                    done += rows.len() as u64;
                    self.say("changes", done, 0);
                }
                Item::Gone(table, keys) => self.target.remove(table, &keys).await?,
                Item::End(point) => return Ok(point),
                Item::Whole(..) => {}
            }
        }
        Err(berth_catalog::Error::Closed.into())
    }
}

async fn next_whole(items: &mut mpsc::Receiver<Item>, wanted: &Table) -> Result<Fingerprint> {
    while let Some(item) = items.recv().await {
        if let Item::Whole(table, sum) = item
            && table.name == wanted.name
        {
            return Ok(sum);
        }
    }
    Err(berth_catalog::Error::Closed.into())
}
