//! Feeds an upload to its file from an asynchronous task.

use std::{io::ErrorKind, mem, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
};

use super::{blocking, joined, sink::Sink};
use crate::{BlobWriter, Error, Progress, Result};

/// Bytes that are worth a pool thread.
const ENOUGH: usize = 256 << 10;
/// Bytes that may wait while a pool thread is at work.
const AT_MOST: usize = 1 << 20;
/// Chunks that may wait: a client that sends single bytes must not fill memory with their bookkeeping.
const CHUNKS_AT_MOST: usize = 512;

/// Collects chunks while a pool thread hashes and writes those before them.
///
/// A thread is used only while there are bytes for it: slow uploads, however many, don't starve the pool.
#[derive(Debug)]
pub(super) struct DiskWriter {
    stage: Stage,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    hashing: Arc<Semaphore>,
}

#[derive(Debug)]
enum Stage {
    Idle(Box<Sink>),
    Writing(JoinHandle<Result<Box<Sink>>>),
    Failed,
}

impl DiskWriter {
    pub(super) fn new(sink: Sink, hashing: &Arc<Semaphore>) -> Self {
        let stage = Stage::Idle(Box::new(sink));
        Self { stage, waiting: Vec::new(), waiting_bytes: 0, hashing: Arc::clone(hashing) }
    }

    /// Says whether the waiting chunks should go to a thread now, even if that means to wait for one.
    fn due(&self) -> bool {
        let full = self.waiting_bytes >= AT_MOST || self.waiting.len() >= CHUNKS_AT_MOST;
        let idle = match &self.stage {
            Stage::Writing(thread) => thread.is_finished(),
            Stage::Idle(_) | Stage::Failed => true,
        };
        full || (idle && self.waiting_bytes >= ENOUGH)
    }

    /// Waits for the thread that has the sink. Cancelled, it leaves everything as it was.
    async fn settle(&mut self) -> Result<()> {
        if let Stage::Writing(thread) = &mut self.stage {
            let result = joined(thread.await);
            self.stage = Stage::Failed;
            self.stage = Stage::Idle(result?);
        }
        Ok(())
    }

    /// Takes the sink, once no thread has it.
    fn take_sink(&mut self) -> Result<Box<Sink>> {
        match mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(sink) => Ok(sink),
            _ => Err(Error::Io(ErrorKind::BrokenPipe.into(), "the upload has failed before".to_owned())),
        }
    }

    fn take_waiting(&mut self) -> Vec<Bytes> {
        self.waiting_bytes = 0;
        mem::take(&mut self.waiting)
    }
}

#[async_trait]
impl BlobWriter for DiskWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.waiting_bytes += chunk.len();
        self.waiting.push(chunk);
        if self.due() {
            self.settle().await?;
            let turn = Arc::clone(&self.hashing).acquire_owned().await;
            let mut sink = self.take_sink()?;
            let chunks = self.take_waiting();
            self.stage = Stage::Writing(spawn_blocking(move || {
                sink.append(&chunks)?;
                drop(turn);
                Ok(sink)
            }));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Progress> {
        self.settle().await?;
        let mut sink = self.take_sink()?;
        let chunks = self.take_waiting();
        blocking(move || {
            sink.append(&chunks)?;
            sink.finish()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer_on_a_full_disk() -> DiskWriter {
        DiskWriter::new(Sink::full(), &Arc::new(Semaphore::new(1)))
    }

    #[tokio::test]
    async fn a_failed_upload_stays_failed() {
        let mut writer = writer_on_a_full_disk();
        let chunk = Bytes::from(vec![0; AT_MOST]);
        writer.write(chunk.clone()).await.unwrap();
        assert!(matches!(writer.write(chunk.clone()).await, Err(Error::Full)), "of the first chunk");
        assert!(writer.write(chunk).await.is_err());
        assert!(Box::new(writer).finish().await.is_err());

        let mut writer = writer_on_a_full_disk();
        writer.write(Bytes::from_static(b"little")).await.unwrap();
        assert!(matches!(Box::new(writer).finish().await, Err(Error::Full)));
    }

    #[tokio::test]
    async fn bytes_one_by_one_are_written_in_time() {
        let mut writer = writer_on_a_full_disk();
        for _ in 1..CHUNKS_AT_MOST {
            writer.write(Bytes::from_static(b"x")).await.unwrap();
        }
        assert_eq!(writer.waiting.len(), CHUNKS_AT_MOST - 1);
        writer.write(Bytes::from_static(b"x")).await.unwrap();
        assert!(writer.waiting.is_empty());
    }
}
