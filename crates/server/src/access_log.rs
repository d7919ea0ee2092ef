//! The access log: one line per request, written when its response has ended.
//!
//! A line is built on the request's task in a buffer that the thread keeps, appended to the [`LogWriter`]'s queue, and
//! forgotten. The query of a request and its `Authorization` never get here.

use std::cell::RefCell;
use std::fmt;

use berth_catalog::Clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

mod clean;
mod line;
mod timestamp;
mod writer;

pub(crate) use line::Line;
pub use writer::LogWriter;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line, for machines.
    Json,
    /// A short line, for a terminal.
    Human,
}

/// Where access lines go.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<(LogWriter, Format)>);

impl AccessLog {
    /// Writes no lines.
    pub fn off() -> Self {
        Self(None)
    }

    /// Writes lines to `writer`.
    pub fn new(writer: LogWriter, format: Format) -> Self {
        Self(Some((writer, format)))
    }

    /// Appends a line that happened just now.
    pub(crate) fn append(&self, clock: &Clock, line: &Line<'_>) {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let Some((writer, format)) = &self.0 else { return };
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            timestamp::with_text(clock.now(), |timestamp| match format {
                Format::Json => line.json(timestamp, buffer),
                Format::Human => line.human(timestamp, buffer),
            });
            writer.append(buffer);
        });
    }

    /// Waits until every appended line is written.
    pub(crate) fn flush(&self) {
        if let Some((writer, _)) = &self.0 {
            writer.wait();
        }
    }
}

impl Collector for AccessLog {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let dropped = self.0.as_ref().map_or(0, |(writer, _)| writer.dropped());
        let help = "Log lines dropped because the log could not be written fast enough";
        encoder
            .encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&dropped, None)
    }
}

#[cfg(test)]
mod tests;
