//! One thread that writes log lines, so that no request ever waits for a slow disk, pipe or terminal.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Bytes of lines that may wait. What comes beyond is dropped and counted.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// With this much waiting, the writer doesn't linger.
const BATCH_BYTES: usize = 256 * 1024;
/// How long the writer lets lines gather: waking it for each would cost more than the line.
const LINGER: Duration = Duration::from_millis(5);
/// How long to wait for the last lines. A pipe that nobody reads must not keep the process from ending.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Queues log lines and writes them on a thread of its own. Clones share the queue.
///
/// As an [`io::Write`] it takes one whole line, or several, per call to `write`.
#[derive(Clone)]
pub struct LogWriter(Arc<Handle>);

/// Closes the queue when the last clone of its writer goes.
struct Handle(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Tells the writer that there is something to do.
    work: Condvar,
    /// Tells waiters that everything is written.
    done: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Calls that brought these lines.
    count: u64,
    writer: Writer,
    /// Somebody waits for the lines: don't linger.
    urgent: bool,
    closed: bool,
}

/// What the writing thread is at.
#[derive(Default, PartialEq, Eq)]
enum Writer {
    /// Waits for the first line, and must be woken for it.
    Asleep,
    /// Lets lines gather, and wakes by itself.
    #[default]
    Gathering,
    /// Has taken lines and not yet written them.
    Writing,
    /// Has written the last lines.
    Ended,
}

impl LogWriter {
    /// Starts the thread that writes to `sink`.
    pub fn spawn(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        std::thread::Builder::new().name("berth-log".into()).spawn({
            let queue = Arc::clone(&queue);
            move || queue.write_all_to(sink)
        })?;
        Ok(Self(Arc::new(Handle(queue))))
    }

    /// Queues one line or several, each with its line feed; drops them if the queue is full.
    pub(crate) fn append(&self, lines: &[u8]) {
        let queue = &self.0.0;
        let mut state = queue.state.lock();
        if state.lines.len() + lines.len() > QUEUE_BYTES {
            drop(state);
            queue.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = state.lines.len();
        state.lines.extend_from_slice(lines);
        state.count += 1;
        let full = before < BATCH_BYTES && state.lines.len() >= BATCH_BYTES;
        if state.writer == Writer::Asleep || full {
            state.writer = Writer::Gathering;
            queue.work.notify_one();
        }
    }

    /// Calls to [`LogWriter::append`] that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Ordering::Relaxed)
    }

    /// Blocks until every queued line is written, two seconds at most.
    pub fn wait(&self) {
        let queue = &self.0.0;
        let mut state = queue.state.lock();
        state.urgent = true;
        queue.work.notify_one();
        let busy = |state: &mut State| !state.lines.is_empty() || state.writer == Writer::Writing;
        queue.done.wait_while_for(&mut state, busy, LAST_LINES);
    }
}

impl Queue {
    /// Writes batches until the queue is closed and empty.
    fn write_all_to(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        while let Some(count) = self.take(&mut batch) {
            // A log that can't be written leaves nobody to tell but the counter.
            if sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
                self.dropped.fetch_add(count, Ordering::Relaxed);
            }
            batch.clear();
        }
    }

    /// Swaps `batch`, which is empty, for the lines that wait, and counts them; none when there will be no more.
    fn take(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.state.lock();
        while state.lines.is_empty() {
            state.urgent = false;
            state.writer = if state.closed { Writer::Ended } else { Writer::Asleep };
            self.done.notify_all();
            if state.closed {
                return None;
            }
            self.work.wait(&mut state);
        }
        state.writer = Writer::Gathering;
        if !(state.urgent || state.closed) && state.lines.len() < BATCH_BYTES {
            self.work.wait_for(&mut state, LINGER);
        }
        state.writer = Writer::Writing;
        std::mem::swap(&mut state.lines, batch);
        Some(std::mem::take(&mut state.count))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        self.0.work.notify_one();
        self.0.done.wait_while_for(&mut state, |state| state.writer != Writer::Ended, LAST_LINES);
    }
}

impl Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.append(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}
