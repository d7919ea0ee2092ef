//! Durable jobs: rows that any worker may claim under a lease. The runner lives in `berth-jobs`.
//!
//! A lease bears a name that its claim made up and that nobody uses again: who holds it is one claim, not one process. At most
//! one job of a kind runs at a time.

use jiff::Timestamp;
use serde::Serialize;

use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A job's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct JobId(pub i64);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for `run_at` and a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Ended well.
    Done,
    /// Ended badly and will not be tried again.
    Failed,
}

impl std::str::FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "queued" => Ok(Self::Queued),
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            _ => Err(()),
        }
    }
}

/// A job.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// Row id.
    pub id: JobId,
    /// Which handler works it.
    pub kind: String,
    /// At most one open job per slot.
    pub slot: Option<String>,
    /// The handler's input, JSON.
    pub payload: String,
    /// Where it stands.
    pub state: State,
    /// Tries begun.
    pub attempts: u64,
    /// Not before this time.
    pub run_at: Timestamp,
    /// The handler's last word on how far it is, JSON.
    pub progress: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// A job to enqueue.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Which handler works it.
    pub kind: &'static str,
    /// At most one open job per slot; `None` for no such limit.
    pub slot: Option<String>,
    /// The handler's input, JSON.
    pub payload: String,
    /// Not before this time.
    pub run_at: Timestamp,
}

fn job(row: &Row<'_>) -> Result<Job> {
    Ok(Job {
        id: JobId(row.int(0)?),
        kind: row.text(1)?.to_owned(),
        slot: row.text_opt(2)?.map(ToOwned::to_owned),
        payload: row.text(3)?.to_owned(),
        state: row.parse(4, "job state")?,
        attempts: row.size(5)?,
        run_at: row.time(6)?,
        progress: row.text_opt(7)?.map(ToOwned::to_owned),
        error: row.text_opt(8)?.map(ToOwned::to_owned),
    })
}

/// Enqueues a job in the caller's unit of work. Returns `None` if the slot is taken by an open job.
pub async fn enqueue(tx: &mut Tx, new: &NewJob, now: Timestamp) -> Result<Option<JobId>> {
    tx.query_opt(
        "INSERT INTO job (kind, slot, payload, state, attempts, run_at, created_at)
         VALUES ($1, $2, $3, 'queued', 0, $4, $5) ON CONFLICT DO NOTHING RETURNING id",
        params![new.kind, new.slot.as_deref(), &new.payload, new.run_at, now],
        |row| row.int(0).map(JobId),
    )
    .await
}

/// Brings the run that waits in a slot forward to `run_at`, unless it is earlier, and gives it this payload.
pub async fn hasten(tx: &mut Tx, slot: &str, payload: &str, run_at: Timestamp) -> Result<()> {
    tx.post(
        "UPDATE job SET run_at = CASE WHEN run_at > $1 THEN $1 ELSE run_at END, payload = $2
          WHERE slot = $3 AND finished_at IS NULL AND state = 'queued' AND (run_at > $1 OR payload <> $2)",
        params![run_at, payload, slot],
    )
    .await?;
    Ok(())
}

/// Removes the run that waits in a slot.
pub async fn cancel(tx: &mut Tx, slot: &str) -> Result<()> {
    tx.post("DELETE FROM job WHERE slot = $1 AND finished_at IS NULL AND state = 'queued'", params![slot])
        .await?;
    Ok(())
}

/// Finds the job that is due longest: queued, or running under a lease that ended. With `wanted` no other is looked at.
pub async fn find_due(r: &Reader, wanted: Option<JobId>, now: Timestamp) -> Result<Option<JobId>> {
    r.query_opt(
        "SELECT id FROM job
          WHERE finished_at IS NULL AND run_at <= $1 AND id = COALESCE($2, id)
            AND ((state = 'queued' AND kind NOT IN (SELECT kind FROM job WHERE finished_at IS NULL AND state = 'running'))
                 OR (state = 'running' AND leased_until < $1))
          ORDER BY run_at, id LIMIT 1",
        params![now, wanted.map(|id| id.0)],
        |row| row.int(0).map(JobId),
    )
    .await
}

/// Begins a try of a job found in the same unit of work. `lease` is a name never used before.
pub async fn claim(tx: &mut Tx, id: JobId, lease: &str, until: Timestamp) -> Result<Option<Job>> {
    tx.query_opt(
        "UPDATE job SET state = 'running', attempts = attempts + 1, leased_by = $1, leased_until = $2, error = NULL
          WHERE id = $3 AND finished_at IS NULL
      RETURNING id, kind, slot, payload, state, attempts, run_at, progress, error",
        params![lease, until, id.0],
        job,
    )
    .await
}

/// Keeps a lease and notes progress. Returns false if the lease ended and somebody else claimed the job.
pub async fn renew(
    tx: &mut Tx,
    id: JobId,
    lease: &str,
    until: Timestamp,
    progress: Option<&str>,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE job SET leased_until = $1, progress = COALESCE($2, progress)
              WHERE id = $3 AND leased_by = $4 AND state = 'running'",
            params![until, progress, id.0, lease],
        )
        .await?;
    Ok(changed > 0)
}

/// How a try ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Well; the handler's last word, JSON.
    Done(String),
    /// Badly, for good.
    Failed(String),
    /// Badly; try again at this time.
    Retry(String, Timestamp),
}

/// Ends a try. Returns false if the lease ended and somebody else claimed the job.
pub async fn finish(tx: &mut Tx, id: JobId, lease: &str, outcome: &Outcome, now: Timestamp) -> Result<bool> {
    let (state, error, progress, run_at, finished) = match outcome {
        Outcome::Done(progress) => ("done", None, Some(progress.as_str()), None, Some(now)),
        Outcome::Failed(error) => ("failed", Some(error.as_str()), None, None, Some(now)),
        Outcome::Retry(error, at) => ("queued", Some(error.as_str()), None, Some(*at), None),
    };
    let changed = tx
        .execute(
            "UPDATE job SET state = $1, error = $2, progress = COALESCE($3, progress), run_at = COALESCE($4, run_at),
                            finished_at = $5, leased_by = NULL, leased_until = NULL
              WHERE id = $6 AND leased_by = $7 AND state = 'running'",
            params![state, error, progress, run_at, finished, id.0, lease],
        )
        .await?;
    Ok(changed > 0)
}

/// Puts a job back to the queue: its worker stops before it is done. The try does not count.
pub async fn release(tx: &mut Tx, id: JobId, lease: &str) -> Result<()> {
    tx.post(
        "UPDATE job SET state = 'queued', leased_by = NULL, leased_until = NULL, attempts = attempts - 1
          WHERE id = $1 AND leased_by = $2 AND state = 'running'",
        params![id.0, lease],
    )
    .await?;
    Ok(())
}

/// Frees every lease: for the only process on a data directory, whose predecessors are dead.
pub async fn release_all(tx: &mut Tx) -> Result<u64> {
    tx.execute(
        "UPDATE job SET state = 'queued', leased_by = NULL, leased_until = NULL
          WHERE finished_at IS NULL AND state = 'running'",
        params![],
    )
    .await
}

/// Finds a job.
pub async fn find(r: &Reader, id: JobId) -> Result<Option<Job>> {
    r.query_opt(
        "SELECT id, kind, slot, payload, state, attempts, run_at, progress, error FROM job WHERE id = $1",
        params![id.0],
        job,
    )
    .await
}

/// Finds the open job of a slot.
pub async fn find_open(r: &Reader, slot: &str) -> Result<Option<JobId>> {
    let sql = "SELECT id FROM job WHERE slot = $1 AND finished_at IS NULL";
    r.query_opt(sql, params![slot], |row| row.int(0).map(JobId)).await
}

/// Finds the last job of a slot, open or ended; ended ones are forgotten after a day.
pub async fn find_last(r: &Reader, slot: &str) -> Result<Option<Job>> {
    if let Some(open) = find_open(r, slot).await? {
        return find(r, open).await;
    }
    r.query_opt(
        "SELECT id, kind, slot, payload, state, attempts, run_at, progress, error FROM job
          WHERE finished_at > 0 AND slot = $1 ORDER BY finished_at DESC LIMIT 1",
        params![slot],
        job,
    )
    .await
}

/// Ends the open job of a slot, whoever works it: he loses his lease. Returns whether there was one.
pub async fn call_off(tx: &mut Tx, slot: &str, reason: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE job SET state = 'failed', error = $1, finished_at = $2, leased_by = NULL, leased_until = NULL
              WHERE slot = $3 AND finished_at IS NULL",
            params![reason, now, slot],
        )
        .await?;
    Ok(changed > 0)
}

/// Counts open jobs: (queued, running).
pub async fn count_open(r: &Reader) -> Result<(u64, u64)> {
    let found = r
        .query_opt(
            "SELECT COUNT(CASE WHEN state = 'queued' THEN 1 END), COUNT(CASE WHEN state = 'running' THEN 1 END)
               FROM job WHERE finished_at IS NULL",
            params![],
            |row| Ok((row.size(0)?, row.size(1)?)),
        )
        .await?;
    Ok(found.unwrap_or_default())
}

/// Forgets jobs that ended before `before`, at most `limit`.
pub async fn delete_ended(tx: &mut Tx, before: Timestamp, limit: usize) -> Result<u64> {
    tx.execute(
        "DELETE FROM job WHERE id IN (
           SELECT id FROM job WHERE finished_at < $1 LIMIT $2)",
        params![before, limit],
    )
    .await
}
