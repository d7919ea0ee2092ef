//! The seam that both drivers stand behind, in the shape of the catalog's: statements in, rows out.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Any failure ends the benchmark.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
/// What can fail here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A value bound to `$1`, `$2` …
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param<'a> {
    /// SQL NULL.
    Null,
    /// Ids, sizes, microseconds.
    Int(i64),
    /// Names, digests, JSON.
    Text(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

/// One row of a result, read by column position.
pub(crate) trait Columns {
    /// Reads an integer.
    fn int(&self, column: usize) -> Result<i64>;
    /// Reads an integer that may be NULL.
    fn int_opt(&self, column: usize) -> Result<Option<i64>>;
    /// Reads text without copying it.
    fn text(&self, column: usize) -> Result<&str>;
    /// Reads bytes without copying them.
    fn bytes(&self, column: usize) -> Result<&[u8]>;
}

/// A connection that keeps its statements prepared.
pub(crate) trait Driver {
    /// Changes rows.
    async fn run(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<()>;

    /// Returns the first row, read by `read`, if there is one.
    async fn find<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: fn(&dyn Columns) -> Result<T>,
    ) -> Result<Option<T>>;
}

/// Completes a body whose driver never makes it wait, in one poll.
pub(crate) fn poll_once<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(body).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err("the body waited for something other than its connection".into()),
    }
}
