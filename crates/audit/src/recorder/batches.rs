//! Notes become records: in batches, again and again until they are in the trail, on disk meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use berth_access::{PersonError, Persons};
use berth_catalog::Error as CatalogError;
use berth_catalog::trail::{self, Entry, Trail};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{BATCH, Recorder};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::spool::Spool;

/// Longest time that a note waits for others.
const TICK: Duration = Duration::from_millis(500);

/// The end of the queue where notes are written down.
pub(crate) struct Batches {
    recorder: Recorder,
    trail: Trail,
    persons: Persons,
    spool: Option<Spool>,
    backlog: VecDeque<Draft>,
    failing: bool,
    /// A batch may have been committed though it failed.
    doubtful: bool,
}

impl Batches {
    pub(crate) fn new(recorder: Recorder, trail: Trail, persons: Persons, spool: Option<Spool>) -> Self {
        Self { recorder, trail, persons, spool, backlog: VecDeque::new(), failing: false, doubtful: false }
    }

    /// Writes until `stop` says true, and then what is left.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let recorder = self.recorder.clone();
        loop {
            let stopped = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                _ = timeout(TICK, recorder.0.full.notified()) => false,
            };
            if let Err(error) = self.persons.refresh().await {
                tracing::debug!(%error, "cannot look who was erased");
            }
            self.flush().await;
            if stopped {
                return;
            }
        }
    }

    async fn flush(&mut self) {
        self.backlog.extend(self.recorder.take());
        // A try may take long, and what comes meanwhile waits behind these.
        self.count();
        if self.failing {
            self.keep().await;
        }
        match self.write_all().await {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the audit trail is written again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "cannot write the audit trail, will go on trying");
                }
                self.keep().await;
            }
        }
        let capacity = self.recorder.0.capacity;
        let stuck = self.failing && self.backlog.len() > capacity / 2;
        self.recorder.0.stuck.store(stuck, Ordering::Relaxed);
        let excess = self.backlog.len().saturating_sub(capacity);
        if excess > 0 && !self.recorder.0.strict {
            self.backlog.drain(..excess);
            self.lose(excess);
        }
        self.count();
    }

    fn count(&self) {
        let counts = &self.recorder.0.counts;
        counts.waiting.store(self.backlog.len() as u64, Ordering::Relaxed);
        counts.spooled_bytes.store(self.spool.as_ref().map_or(0, Spool::bytes), Ordering::Relaxed);
    }

    fn lose(&self, count: usize) {
        self.recorder.0.counts.dropped.fetch_add(count as u64, Ordering::Relaxed);
        tracing::error!(records = count, "lost records of the audit trail: they could be written nowhere");
    }

    async fn write_all(&mut self) -> Result<()> {
        while !self.backlog.is_empty() {
            let count = self.backlog.len().min(BATCH);
            let drafts: Vec<Draft> = self.backlog.range(..count).cloned().collect();
            self.write(&drafts, self.doubtful).await.inspect_err(|_| self.doubtful = true)?;
            self.doubtful = false;
            self.backlog.drain(..count);
        }
        if self.spool.as_ref().is_none_or(|spool| spool.bytes() == 0) {
            return Ok(());
        }
        self.replay().await
    }

    /// Brings home what was kept on disk. After a failure in the middle it begins anew, and skips what is there.
    async fn replay(&mut self) -> Result<()> {
        let mut from = 0;
        while let Some((drafts, next)) =
            self.spool.as_ref().map(|spool| spool.read(from)).transpose()?.flatten()
        {
            for batch in drafts.chunks(BATCH) {
                self.write(batch, true).await?;
            }
            from = next;
        }
        if let Some(spool) = &mut self.spool {
            spool.clear()?;
        }
        tracing::info!(bytes = from, "records of the audit trail that were kept on disk are in it now");
        Ok(())
    }

    async fn write(&self, drafts: &[Draft], missing_only: bool) -> Result<()> {
        let mut entries = Vec::with_capacity(drafts.len());
        for draft in drafts {
            entries.push(self.resolve(draft).await?);
        }
        let (entries, count): (Arc<[Entry]>, u64) = (entries.into(), drafts.len() as u64);
        self.trail
            .write(async move |tx| {
                if missing_only {
                    trail::append_missing(tx, &entries).await
                } else {
                    trail::append(tx, &entries).await
                }
            })
            .await
            .map_err(|error: CatalogError| Error::from(error))?;
        self.recorder.0.counts.written.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    async fn resolve(&self, draft: &Draft) -> Result<Entry> {
        match draft.resolve(&self.persons).await {
            Ok(entry) => Ok(entry),
            // That does not pass: the key that the person's is sealed under is not to be had, or nobody is added to a catalog that
            // has moved, and where it is now nobody would know whose record that is.
            Err(PersonError::Vault { .. } | PersonError::Catalog(CatalogError::Moved)) => {
                Ok(draft.of_nobody().resolve(&self.persons).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts what waits on the disk, if there is one.
    async fn keep(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        if self.backlog.is_empty() {
            return;
        }
        match spool.append(self.backlog.make_contiguous()).await {
            Ok(()) => self.backlog.clear(),
            Err(error) => tracing::debug!(%error, "cannot keep records of the audit trail on disk"),
        }
    }
}

impl Drop for Batches {
    /// However it ends, nobody writes any more.
    fn drop(&mut self) {
        self.recorder.0.stuck.store(true, Ordering::Relaxed);
        self.recorder.0.counts.waiting.store(0, Ordering::Relaxed);
        if !self.backlog.is_empty() {
            self.lose(self.backlog.len());
        }
    }
}
