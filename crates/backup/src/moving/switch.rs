//! The switch: pushes rest, the last changes go over, and one commit makes the new side the truth.

use std::time::{Duration, Instant};

use berth_catalog::moving::{self, State};
use berth_catalog::{Catalog, Error as CatalogError};
use jiff::SignedDuration;
use tokio::task::JoinHandle;

use super::{Move, PASSES};
use crate::Problem;
use crate::error::{Error, Result};

/// Pushes rest this long behind the last sign of life of the command that switches; then the old registry goes on by itself.
const LEASE: SignedDuration = SignedDuration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Before the first look: by then every node has heard.
const HEARD: Duration = Duration::from_millis(300);
/// A pass that is over so soon leaves little to the next.
const SHORT: Duration = Duration::from_millis(500);
/// Before another look at a source that was still written to.
const PAUSE: Duration = Duration::from_millis(50);
/// Whoever still writes then does not heed anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a switch did.
#[derive(Debug, Clone)]
pub struct Switched {
    /// Seconds for which pushes rested.
    pub seconds: f64,
    /// Rows that were taken in meanwhile.
    pub rows: u64,
    /// What is not whole among them.
    pub problems: Vec<Problem>,
}

impl Move<'_> {
    /// Lets pushes rest, takes in what is left, makes the new side the truth and opens it. If it fails before that moment, the
    /// old side goes on as before; after it, [`Move::open`] is all that is left to do.
    ///
    /// # Errors
    /// [`Error::Restless`] when somebody goes on writing; [`Error::Lost`] when the new side lacks bytes that the old one should have;
    /// others as [`Move::settle`].
    pub async fn switch(&mut self) -> Result<Switched> {
        self.catch_up().await?;
        self.bring_trail().await?;
        self.refuse_lost().await?;
        let started = Instant::now();
        rest(self.source, &self.moving.worker, true).await?;
        let renewal = Renewal::start(self.source.clone(), self.moving.worker.clone());
        let moved = self.hand_over().await;
        drop(renewal);
        let rows = match moved {
            Ok(rows) => rows,
            Err(error) => {
                // It ends by itself, too.
                if let Err(other) = rest(self.source, &self.moving.worker, false).await {
                    tracing::debug!(error = %other, "could not let pushes go on at once");
                }
                return Err(error);
            }
        };
        // The old side counts no more: whoever goes on from here begins with this.
        self.bring_trail().await?;
        self.open().await?;
        let problems = std::mem::take(&mut *self.problems.lock());
        Ok(Switched { seconds: started.elapsed().as_secs_f64(), rows, problems })
    }

    /// Lets nodes serve the new side, and removes what was copied in vain.
    ///
    /// # Errors
    /// Those of the database and the store.
    pub async fn open(&mut self) -> Result<()> {
        self.target.open().await?;
        self.placed.tidy().await?;
        self.placed.finish(&self.target.locations().await?).await
    }

    /// Takes in what changed while both sides were compared, and what changed while that was taken in, until little is left for
    /// the time in which pushes rest.
    async fn catch_up(&mut self) -> Result<()> {
        for _ in 0..PASSES {
            let started = Instant::now();
            self.pass(false).await?;
            if started.elapsed() < SHORT {
                break;
            }
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Result<u64> {
        let (started, mut rows) = (Instant::now(), 0);
        tokio::time::sleep(HEARD).await;
        loop {
            rows += self.pass(false).await?.rows;
            if self.leave().await? {
                return Ok(rows);
            }
            if started.elapsed() > PATIENCE {
                return Err(Error::Restless(PATIENCE.as_secs()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Counts both sides, and makes the target the truth, unless the source has changed.
    async fn leave(&mut self) -> Result<bool> {
        let (source, point) = (self.source, self.target.point());
        if source.read(async |r| moving::changed(r, point).await).await? {
            return Ok(false);
        }
        self.say("counting", 0, 0);
        for table in moving::tables() {
            let there = self.target.count(table).await?;
            let here = source.read(async |r| moving::count(r, table).await).await?;
            if here != there {
                // A row that came meanwhile is noted, and no fault.
                let came = source.read(async |r| moving::changed(r, point).await).await?;
                return if came {
                    Ok(false)
                } else {
                    Err(CatalogError::Differs { table: table.name, here, there }.into())
                };
            }
        }
        self.refuse_lost().await?;
        self.target.make_ready().await?;
        let (worker, clock) = (self.moving.worker.clone(), source.clock().clone());
        match source.write(async move |tx| moving::leave(tx, &worker, point, clock.now()).await).await {
            Ok(gone) => Ok(gone),
            // Whether it was committed is for the catalog to say.
            Err(error) => match source.read(async |r| moving::find(r).await).await? {
                Some(moving) if moving.state == State::Gone => Ok(true),
                _ => Err(error.into()),
            },
        }
    }
}

async fn rest(source: &Catalog, worker: &str, on: bool) -> Result<()> {
    let (worker, clock) = (worker.to_owned(), source.clock().clone());
    let unit = source.write(async move |tx| {
        let now = clock.now();
        let until = on.then(|| now.saturating_add(LEASE).unwrap_or(now));
        moving::rest(tx, &worker, until, now).await
    });
    Ok(unit.await?)
}

/// Says again and again that pushes are to rest.
struct Renewal(JoinHandle<()>);

impl Renewal {
    fn start(source: Catalog, worker: String) -> Self {
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Err(error) = rest(&source, &worker, true).await {
                    tracing::debug!(%error, "could not say that pushes go on resting, trying again");
                }
            }
        }))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}
