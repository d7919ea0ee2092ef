//! One open connection, as seen by all who deal with it: its driver, its requests and the watch over it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use hyper_util::server::graceful::GracefulConnection;

use super::watch::Snapshot;
use crate::certificate::ClientCertificate;

/// What a connection's driver is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Command {
    /// Go on.
    Run,
    /// Finish the requests at hand, take no more, close.
    Drain,
    /// Close at once.
    Cut,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The other end.
    pub(crate) peer: SocketAddr,
    /// Who the client is by its certificate; set before the first request.
    pub(crate) certificate: OnceLock<ClientCertificate>,
    /// Bytes read from the socket.
    pub(super) received: AtomicU64,
    /// Bytes written to the socket.
    pub(super) sent: AtomicU64,
    /// Whether it speaks HTTP/2.
    pub(super) multiplexed: AtomicBool,
    handling: AtomicU32,
    responding: AtomicU32,
    requests: AtomicU64,
    received_before_idle: AtomicU64,
    command: AtomicU8,
    driver: AtomicWaker,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            certificate: OnceLock::new(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
            handling: AtomicU32::new(0),
            responding: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            received_before_idle: AtomicU64::new(0),
            command: AtomicU8::new(Command::Run as u8),
            driver: AtomicWaker::new(),
        }
    }

    /// Notes that a handler has begun to work on a request.
    pub(crate) fn begin_handling(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.handling.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a handler has answered, and its response is on the way.
    pub(crate) fn begin_responding(&self) {
        self.responding.fetch_add(1, Ordering::Relaxed);
        self.handling.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that a handler was dropped before it answered.
    pub(crate) fn end_handling(&self) {
        self.mark_idle();
        self.handling.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that a response has ended.
    pub(crate) fn end_responding(&self) {
        self.mark_idle();
        self.responding.fetch_sub(1, Ordering::Relaxed);
    }

    fn mark_idle(&self) {
        self.received_before_idle.store(self.received.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// What the watch needs to know. The values are read one by one: close enough for one that looks every second.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            sent: self.sent.load(Ordering::Relaxed),
            handling: self.handling.load(Ordering::Relaxed),
            responding: self.responding.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            unanswered: self
                .received
                .load(Ordering::Relaxed)
                .saturating_sub(self.received_before_idle.load(Ordering::Relaxed)),
            multiplexed: self.multiplexed.load(Ordering::Relaxed),
        }
    }

    /// Tells the driver what to do. A milder command than the last one changes nothing.
    pub(super) fn order(&self, command: Command) {
        if self.command.fetch_max(command as u8, Ordering::Release) < command as u8 {
            self.driver.wake();
        }
    }

    fn ordered(&self) -> Command {
        match self.command.load(Ordering::Acquire) {
            0 => Command::Run,
            1 => Command::Drain,
            _ => Command::Cut,
        }
    }

    /// Runs `step`, which comes before the first request; none when the connection is to close.
    pub(super) async fn unless_closing<F: Future>(&self, step: F) -> Option<F::Output> {
        let mut step = pin!(step);
        poll_fn(|cx| {
            self.driver.register(cx.waker());
            if self.ordered() != Command::Run {
                return Poll::Ready(None);
            }
            step.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Speaks HTTP to the end of the connection, or until it is cut.
    pub(super) async fn drive<C: GracefulConnection>(&self, http: C) -> Result<(), C::Error> {
        let mut http = pin!(http);
        let mut draining = false;
        poll_fn(|cx| {
            self.driver.register(cx.waker());
            match self.ordered() {
                Command::Run => {}
                Command::Cut => return Poll::Ready(Ok(())),
                Command::Drain if draining => {}
                Command::Drain => {
                    draining = true;
                    http.as_mut().graceful_shutdown();
                }
            }
            http.as_mut().poll(cx)
        })
        .await
    }
}
