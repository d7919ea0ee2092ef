//! All open connections: how many there may be, which have stood still for too long, and their end at shutdown.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::connection::{Command, Connection};
use super::watch::{Patience, Watch};
use crate::config::Limits;

/// All open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    state: Mutex<State>,
    emptied: Notify,
    patience: Patience,
    next: AtomicU64,
}

#[derive(Debug)]
struct State {
    open: HashMap<u64, (Arc<Connection>, Watch)>,
    /// What every connection was told, so that one accepted at that moment hears it too.
    ordered: Command,
    /// Bytes of the connections that have closed.
    received: u64,
    sent: u64,
}

/// Keeps a connection among the open ones.
#[derive(Debug)]
pub(super) struct Open {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            state: Mutex::new(State { open: HashMap::new(), ordered: Command::Run, received: 0, sent: 0 }),
            emptied: Notify::new(),
            patience: Patience::new(limits),
            next: AtomicU64::new(0),
        }
    }

    /// Adds a connection that was just accepted.
    pub(super) fn open(self: &Arc<Self>, peer: SocketAddr, permit: OwnedSemaphorePermit) -> Open {
        let connection = Arc::new(Connection::new(peer));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        connection.order(state.ordered);
        state.open.insert(number, (Arc::clone(&connection), Watch::new(Instant::now())));
        Open { connections: Arc::clone(self), connection, number, _permit: permit }
    }

    /// Ends connections that stand still, for as long as it is polled.
    pub(crate) async fn watch(&self) {
        let mut ticks = tokio::time::interval(self.patience.interval());
        loop {
            ticks.tick().await;
            let now = Instant::now();
            for (connection, watch) in self.state.lock().open.values_mut() {
                connection.order(watch.judge(now, connection.snapshot(), &self.patience));
            }
        }
    }

    /// Lets every connection finish the requests at hand.
    pub(crate) fn drain(&self) {
        self.order(Command::Drain);
    }

    /// Closes every connection at once, and says how many there were.
    pub(crate) fn cut(&self) -> usize {
        self.order(Command::Cut)
    }

    fn order(&self, command: Command) -> usize {
        let mut state = self.state.lock();
        state.ordered = command;
        for (connection, _) in state.open.values() {
            connection.order(command);
        }
        state.open.len()
    }

    /// Waits until no connection is open.
    pub(crate) async fn closed(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            // From here on a notification is kept, so none falls between the look and the wait.
            emptied.as_mut().enable();
            if self.state.lock().open.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.open.remove(&self.number);
        state.received += self.connection.received.load(Ordering::Relaxed);
        state.sent += self.connection.sent.load(Ordering::Relaxed);
        if state.open.is_empty() {
            self.connections.emptied.notify_waiters();
        }
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (open, received, sent) = {
            let state = self.state.lock();
            let sum = |count: fn(&Connection) -> &AtomicU64| -> u64 {
                state.open.values().map(|(connection, _)| count(connection).load(Ordering::Relaxed)).sum()
            };
            (state.open.len() as u64, state.received + sum(|c| &c.received), state.sent + sum(|c| &c.sent))
        };
        encoder
            .encode_descriptor("http_connections", "Open connections", None, MetricType::Gauge)?
            .encode_gauge(&open)?;
        for (name, help, value) in [
            ("http_connections_accepted", "Connections accepted", self.next.load(Ordering::Relaxed)),
            ("http_received_bytes", "Bytes read from connections, headers and TLS included", received),
            ("http_sent_bytes", "Bytes written to connections, headers and TLS included", sent),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }
}
