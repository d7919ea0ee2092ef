//! Asks a running server whether it is ready, as a container engine's health check does from inside.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::Config;

mod pinned;

/// Longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// Most bytes of an answer that are read.
const ANSWER_BYTES: usize = 4096;

/// Why a server is not known to be ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The configuration names no address that can be asked.
    #[error("http.listen names no fixed port: nobody but the server knows where it listens")]
    NoAddress,
    /// Nobody answers, or not as a server with this configuration would.
    #[error("{address} gives no answer")]
    NoAnswer {
        /// Where it was asked.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// It answers, but is not ready.
    #[error("{address} answers {status}: {text}")]
    NotReady {
        /// Where it was asked.
        address: SocketAddr,
        /// The answer's status.
        status: StatusCode,
        /// The answer's text.
        text: String,
    },
}

/// Asks the server with this configuration on this machine, at its first address with a fixed port, for `/readyz`.
///
/// Over TLS it takes no other certificate than the configured one, whatever its names.
pub async fn probe(config: &Config) -> Result<(), ProbeError> {
    let address = config.listen.iter().find(|address| address.port() != 0).ok_or(ProbeError::NoAddress)?;
    let address = reachable(*address);
    let answered = tokio::time::timeout(PATIENCE, ask(config, address)).await;
    let late =
        || Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", PATIENCE.as_secs())));
    match answered.unwrap_or_else(|_| late()) {
        Ok((StatusCode::OK, _)) => Ok(()),
        Ok((status, text)) => Err(ProbeError::NotReady { address, status, text }),
        Err(source) => Err(ProbeError::NoAnswer { address, source }),
    }
}

/// Who listens on all addresses is asked on loopback.
fn reachable(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

async fn ask(config: &Config, address: SocketAddr) -> io::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    match &config.tls {
        Some(files) => get(pinned::connect(files, address, stream).await?).await,
        None => get(stream).await,
    }
}

async fn get<S>(stream: S) -> io::Result<(StatusCode, String)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header(HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await.map_err(io::Error::other)?;
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:5000", "127.0.0.1:5000"),
            ("[::]:5000", "[::1]:5000"),
            ("192.0.2.7:443", "192.0.2.7:443"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[tokio::test]
    async fn a_free_port_cannot_be_asked() {
        let config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        assert!(matches!(probe(&config).await, Err(ProbeError::NoAddress)));
    }
}
