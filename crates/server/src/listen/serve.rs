//! Speaking HTTP on one connection.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::connection::Connection;
use super::connections::{Connections, Open};
use super::metered::Metered;
use crate::config::Config;
use crate::service::Service;
use crate::tls::{ALPN_H2, TlsAcceptor};

/// How hyper takes header counts without a heap allocation per request.
const HEADERS_ON_THE_STACK: usize = 100;

/// What every connection needs.
///
/// The protocol is found out here rather than by hyper-util's automatic builder, which can't limit the size of an
/// HTTP/1 header and reads through one more buffer.
pub(crate) struct Serve {
    pub(super) connections: Arc<Connections>,
    service: Arc<Service>,
    tls: Option<TlsAcceptor>,
    http2_enabled: bool,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Serve {
    pub(crate) fn new(
        config: &Config,
        service: Arc<Service>,
        tls: Option<TlsAcceptor>,
        connections: Arc<Connections>,
    ) -> Self {
        let limits = &config.limits;
        let mut http1 = http1::Builder::new();
        // The watch over all connections does this without a timer per request.
        http1.header_read_timeout(None);
        http1.max_header_size(limits.header_bytes as usize);
        if limits.header_count != HEADERS_ON_THE_STACK {
            http1.max_headers(limits.header_count);
        }
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.max_concurrent_streams(limits.http2_streams);
        http2.max_header_list_size(limits.header_bytes);
        Self { connections, service, tls, http2_enabled: config.http2, http1, http2 }
    }

    /// Serves a connection to its end.
    pub(super) async fn run(self: Arc<Self>, socket: TcpStream, open: Open) {
        let connection = Arc::clone(&open.connection);
        let result = match &self.tls {
            None => self.run_plain(socket, &connection).await,
            Some(tls) => self.run_tls(tls, socket, &connection).await,
        };
        if let Err(error) = result {
            // Mostly clients that went away; each request that suffered has its own access line.
            tracing::debug!(error, peer = %connection.peer, "connection ended");
        }
    }

    async fn run_tls(
        &self,
        tls: &TlsAcceptor,
        socket: TcpStream,
        connection: &Arc<Connection>,
    ) -> Result<(), String> {
        let socket = Metered::new(socket, Arc::clone(connection));
        let Some(handshake) = connection.unless_closing(tls.accept(socket)).await else { return Ok(()) };
        let stream = handshake.map_err(|error| format!("TLS handshake failed: {error}"))?;
        if let Some(client) = tls.client(&stream) {
            // Nobody else sets it.
            let _ = connection.certificate.set(client);
        }
        let http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_H2);
        self.speak(stream, http2, connection).await
    }

    async fn run_plain(&self, socket: TcpStream, connection: &Arc<Connection>) -> Result<(), String> {
        let http2 = self.http2_enabled
            && match connection.unless_closing(opens_with_http2(&socket)).await {
                None => return Ok(()),
                Some(http2) => http2.map_err(describe)?,
            };
        self.speak(Metered::new(socket, Arc::clone(connection)), http2, connection).await
    }

    async fn speak<S>(&self, stream: S, http2: bool, connection: &Arc<Connection>) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        connection.multiplexed.store(http2, Ordering::Relaxed);
        let (service, connection_of_request) = (Arc::clone(&self.service), Arc::clone(connection));
        let service = service_fn(move |request: Request<Incoming>| {
            Arc::clone(&service).answer(Arc::clone(&connection_of_request), request)
        });
        let stream = TokioIo::new(stream);
        if http2 {
            connection.drive(self.http2.serve_connection(stream, service)).await.map_err(describe)
        } else {
            connection.drive(self.http1.serve_connection(stream, service)).await.map_err(describe)
        }
    }
}

/// Looks at the first bytes without taking them: no other method begins like HTTP/2's preface (RFC 9113 section 3.4).
async fn opens_with_http2(socket: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = socket.peek(&mut seen).await?;
        if count == 0 || !PREFACE.starts_with(&seen[..count]) {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // The socket stays readable while its bytes are only peeked at, so there is no event to wait for.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn describe(error: impl Display) -> String {
    error.to_string()
}
