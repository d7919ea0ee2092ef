//! What went wrong at other registries, tried on the built binary from outside. `docs/design/attacks.md` lists the classes, and which test
//! is about which, here and in the rooms.

mod bounds;
mod logs;
mod paths;
mod tokens;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::Server;

/// Sends a request whose target and headers no HTTP library would send, and hands back status and all of the answer.
async fn raw(server: &Server, target: &str, headers: &[u8]) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(server.host()).await?;
    let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.host());
    stream.write_all(&[head.as_bytes(), headers, b"\r\n"].concat()).await?;
    let mut answer = Vec::new();
    // Whoever is refused in the middle of a head may find the connection reset.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    Ok((status.with_context(|| format!("{target}: no answer: {answer}"))?, answer))
}
