//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::serve::Serve;

/// Waits between attempts to accept when the process or the machine is out of something.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MOST: Duration = Duration::from_secs(1);

/// Accepts connections and starts a task for each, for as long as it is polled.
///
/// Each waits for one of `places`: beyond that limit, connections stay in the kernel's queue.
pub(crate) async fn accept_all(listener: TcpListener, serve: Arc<Serve>, places: Arc<Semaphore>) {
    let local = listener.local_addr().ok();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (socket, peer) = accept(&listener, local).await;
        // Responses go out as whole frames; waiting to fill packets would only delay their ends.
        let _ = socket.set_nodelay(true);
        let open = serve.connections.open(peer, place);
        tokio::spawn(Arc::clone(&serve).run(socket, open));
    }
}

/// Accepts one connection. Errors don't end the listener: those of the peer are skipped, those of this machine waited out.
async fn accept(listener: &TcpListener, local: Option<SocketAddr>) -> (TcpStream, SocketAddr) {
    let mut backoff = BACKOFF_FIRST;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_peer(&error) => {
                tracing::debug!(%error, "connection was gone before it was accepted");
            }
            Err(error) => {
                if backoff == BACKOFF_FIRST {
                    tracing::error!(%error, listener = ?local, "can't accept connections; trying again");
                }
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MOST);
            }
        }
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
