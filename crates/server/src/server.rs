//! The server: bound, then run until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::App;
use crate::listen::{self, Connections, Serve};
use crate::service::Service;
use crate::tls::TlsAcceptor;

/// How often the certificate's files are looked at.
const TLS_LOOK: Duration = Duration::from_secs(3);
/// How long a connection that was cut may take to notice.
const CUT_TIME: Duration = Duration::from_secs(1);

/// Listening sockets and all that answers behind them.
pub struct Server {
    app: Arc<App>,
    listeners: Vec<TcpListener>,
    connections: Arc<Connections>,
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Opens the listening sockets and reads the certificate. Must be called within a runtime.
    ///
    /// Connections that come from here on wait until [`Server::run`].
    ///
    /// # Errors
    /// The configuration can't work, an address can't be listened on, or the certificate or its key can't be used.
    pub fn bind(mut app: App) -> io::Result<Self> {
        app.config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let config = &app.config;
        let tls = config.tls.as_ref().map(|files| TlsAcceptor::load(files, config.http2)).transpose()?;
        let listeners =
            config.listen.iter().map(|address| listen::bind(*address)).collect::<io::Result<_>>()?;
        let connections = Arc::new(Connections::new(&config.limits));
        app.metrics.register(Box::new(Arc::clone(&connections)));
        app.metrics.register(Box::new(app.access_log.clone()));
        Ok(Self { app: Arc::new(app), listeners, connections, tls })
    }

    /// The addresses listened on, with the ports that were taken for port 0.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until `shutdown` resolves, then lets transfers finish for the configured time, and cuts the rest.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, listeners, connections, tls } = self;
        let places = Arc::new(Semaphore::new(app.config.limits.connections.min(Semaphore::MAX_PERMITS)));
        let service = Arc::new(Service::new(Arc::clone(&app)));
        let serve = Arc::new(Serve::new(&app.config, service, tls.clone(), Arc::clone(&connections)));

        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(listen::accept_all(listener, Arc::clone(&serve), Arc::clone(&places)));
        }
        // Dropping the sets ends their tasks.
        let mut watching = JoinSet::new();
        watching.spawn({
            let connections = Arc::clone(&connections);
            async move { connections.watch().await }
        });
        if let Some(tls) = tls {
            watching.spawn(tls.follow(TLS_LOOK));
        }

        shutdown.await;
        app.close();
        tokio::time::sleep(Duration::from_secs(app.config.shutdown_delay_seconds)).await;
        accepting.shutdown().await;
        connections.drain();
        let grace = Duration::from_secs(app.config.shutdown_grace_seconds);
        if tokio::time::timeout(grace, connections.closed()).await.is_err() {
            let cut = connections.cut();
            tracing::warn!(connections = cut, "transfers did not finish within the shutdown's grace; cut");
            // Long enough for the tasks to see it, and to write the lines of the requests that were cut.
            let _ = tokio::time::timeout(CUT_TIME, connections.closed()).await;
        }
        flush(app).await;
    }
}

/// Waits until the last access lines are written.
async fn flush(app: Arc<App>) {
    // It blocks; that a panic on the way would lose lines is no reason to fail the shutdown.
    let _ = tokio::task::spawn_blocking(move || app.access_log.flush()).await;
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}
