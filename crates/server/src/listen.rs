//! Connections: accepting them, watching them, speaking HTTP/1.1 or HTTP/2 on them.
//!
//! `accept` takes them from the listening sockets, `serve` drives one, `connections` knows all that are open and ends
//! those that stand still; `watch` decides when that is.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

mod accept;
mod connection;
mod connections;
mod metered;
mod serve;
mod watch;

pub(crate) use accept::accept_all;
pub(crate) use connection::Connection;
pub(crate) use connections::Connections;
pub(crate) use serve::Serve;

/// Connections the kernel may hold that we have not accepted yet.
const BACKLOG: u32 = 4096;

/// Opens a listening socket. Must be called within a runtime.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for the old process's closed connections to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|error| io::Error::new(error.kind(), format!("can't listen on {address}: {error}")))
}
