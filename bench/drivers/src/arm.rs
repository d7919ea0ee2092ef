//! The arms: one driver each, used one way.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use crate::driver::Result;
use crate::load::{Figures, load};
use crate::pull::Questions;
use crate::push::Push;
use crate::{with_rusqlite, with_sqlx};

/// Units that may share a commit, as in the server.
const GROUP_UNITS: usize = 256;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arm {
    /// Push: rusqlite on one writer thread, with up to so many units in a commit.
    PushRusqlite(usize),
    /// Push: a sqlx pool of one connection, a transaction for each unit.
    PushSqlxPool,
    /// Push: sqlx on one writer task, with up to so many units in a commit.
    PushSqlxGroup(usize),
    /// Manifest by tag: rusqlite on the asking thread.
    PullRusqlite,
    /// Manifest by tag: a sqlx pool of so many connections.
    PullSqlx(u32),
}

/// All arms, in the order of the table.
pub(crate) const ARMS: [Arm; 7] = [
    Arm::PushRusqlite(1),
    Arm::PushSqlxPool,
    Arm::PushRusqlite(GROUP_UNITS),
    Arm::PushSqlxGroup(GROUP_UNITS),
    Arm::PullRusqlite,
    Arm::PullSqlx(2),
    Arm::PullSqlx(16),
];

impl Arm {
    /// Names the unit and the way.
    pub(crate) fn name(self) -> (&'static str, String) {
        match self {
            Self::PushRusqlite(1) => ("push", "rusqlite, writer thread, a commit each".into()),
            Self::PushSqlxPool => ("push", "sqlx, pool of 1, a commit each".into()),
            Self::PushRusqlite(most) => ("push", format!("rusqlite, writer thread, groups of up to {most}")),
            Self::PushSqlxGroup(most) => ("push", format!("sqlx, writer task, groups of up to {most}")),
            Self::PullRusqlite => ("manifest by tag", "rusqlite, in place".into()),
            Self::PullSqlx(connections) => ("manifest by tag", format!("sqlx, pool of {connections}")),
        }
    }

    /// Measures once, on a catalog file that nobody else has open.
    pub(crate) async fn measure(self, file: &Path) -> Result<Figures> {
        match self {
            Self::PushRusqlite(most) => push_rusqlite(file, most).await,
            Self::PushSqlxPool => push_sqlx_pool(file).await,
            Self::PushSqlxGroup(most) => push_sqlx_group(file, most).await,
            Self::PullRusqlite => pull_rusqlite(file).await,
            Self::PullSqlx(connections) => pull_sqlx(file, connections).await,
        }
    }
}

async fn push_rusqlite(file: &Path, most: usize) -> Result<Figures> {
    let (writer, thread) = with_rusqlite::Writer::start(file, most)?;
    let figures = load(move |serial| {
        let writer = writer.clone();
        async move { writer.push(Push::new(serial)).await }
    })
    .await;
    // Why the thread gave up says more than that it did not answer.
    thread.join().map_err(|_| "the writer thread panicked")??;
    figures
}

async fn push_sqlx_pool(file: &Path) -> Result<Figures> {
    let pool = with_sqlx::writer_pool(file).await?;
    let closing = pool.clone();
    let figures = load(move |serial| {
        let pool = pool.clone();
        async move { with_sqlx::push(&pool, &Push::new(serial)).await }
    })
    .await;
    closing.close().await;
    figures
}

async fn push_sqlx_group(file: &Path, most: usize) -> Result<Figures> {
    let (writer, task) = with_sqlx::Writer::start(file, most).await?;
    let figures = load(move |serial| {
        let writer = writer.clone();
        async move { writer.push(Push::new(serial)).await }
    })
    .await;
    task.await??;
    figures
}

async fn pull_rusqlite(file: &Path) -> Result<Figures> {
    let shared = Arc::new((with_rusqlite::Readers::new(file), Questions::new()));
    load(move |serial| {
        let shared = Arc::clone(&shared);
        async move {
            let (readers, questions) = &*shared;
            let (repository, tag) = questions.any(serial);
            black_box(readers.pull(repository, tag)?);
            Ok(())
        }
    })
    .await
}

async fn pull_sqlx(file: &Path, connections: u32) -> Result<Figures> {
    let pool = with_sqlx::reader_pool(file, connections).await?;
    let shared = Arc::new((pool.clone(), Questions::new()));
    let figures = load(move |serial| {
        let shared = Arc::clone(&shared);
        async move {
            let (pool, questions) = &*shared;
            let (repository, tag) = questions.any(serial);
            black_box(with_sqlx::pull(pool, repository, tag).await?);
            Ok(())
        }
    })
    .await;
    pool.close().await;
    figures
}
