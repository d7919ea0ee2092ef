//! A line to the gateway that notes what is asked, and breaks on demand.

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const SLOW_DOWN: &str = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>";

/// What the line does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// Brings it there, and the answer back.
    Passes,
    /// Answers 503 itself.
    Refuses,
    /// Ends the connection.
    Cuts,
    /// Says nothing.
    Hangs,
    /// Ends the connection, once, after this many bytes of the answer to the next request whose first line contains this.
    CutsAnswer(&'static str, usize),
}

/// Listens until it is dropped.
pub(super) struct Wire {
    pub(super) endpoint: String,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

struct Shared {
    to: SocketAddr,
    mode: Mutex<Mode>,
    heads: Mutex<Vec<String>>,
}

impl Wire {
    pub(super) async fn to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared =
            Arc::new(Shared { to: address, mode: Mutex::new(Mode::Passes), heads: Mutex::default() });
        let line = Arc::clone(&shared);
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let line = Arc::clone(&line);
                tokio::spawn(async move { line.carry(client).await });
            }
        });
        Self { endpoint, shared, listener }
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.shared.mode.lock() = mode;
    }

    pub(super) fn is(&self, mode: &Mode) -> bool {
        *self.shared.mode.lock() == *mode
    }

    /// Returns the heads of requests since the last call.
    pub(super) fn heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.heads.lock())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    async fn carry(&self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.to).await else { return };
        let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        let mut budget = usize::MAX;
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let Ok(read @ 1..) = read else { return };
                    if let Some(head) = head(&up[..read]) {
                        let mode = self.mode.lock().clone();
                        let first_line = head.lines().next().unwrap_or_default().to_owned();
                        self.heads.lock().push(head);
                        match mode {
                            Mode::Passes => {}
                            Mode::Refuses => {
                                let answer = format!("HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{SLOW_DOWN}", SLOW_DOWN.len());
                                let _ = client.write_all(answer.as_bytes()).await;
                                let _ = client.shutdown().await;
                                return;
                            }
                            Mode::Cuts => return,
                            Mode::Hangs => std::future::pending().await,
                            Mode::CutsAnswer(part, bytes) => if first_line.contains(part) {
                                *self.mode.lock() = Mode::Passes;
                                budget = bytes;
                            },
                        }
                    }
                    if server.write_all(&up[..read]).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut down) => {
                    let Ok(read @ 1..) = read else { return };
                    // A provisional answer is none.
                    let provisional = down.starts_with(b"HTTP/1.1 100");
                    let passes = if provisional { read } else { read.min(budget) };
                    if client.write_all(&down[..passes]).await.is_err() || passes < read {
                        return;
                    }
                    if budget != usize::MAX && !provisional {
                        budget -= passes;
                    }
                }
            }
        }
    }
}

/// Returns the head of a request that begins here.
fn head(bytes: &[u8]) -> Option<String> {
    let methods = ["GET /", "HEAD /", "PUT /", "POST /", "DELETE /"];
    methods.iter().any(|method| bytes.starts_with(method.as_bytes())).then(|| {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    })
}
