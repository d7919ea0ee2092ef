//! Whether an address can be listened on, or is by the server that runs already.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::report::Finding;

const SUBJECT: &str = "listen address";

/// Checks that an address can be listened on now, or is by the server that is `running`.
pub(super) fn check(address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(SUBJECT, format!("{address} is free")),
        Err(error) if running && error.kind() == ErrorKind::AddrInUse => Finding::good(
            SUBJECT,
            format!("{address} is in use, and a berth is running on the data directory"),
        ),
        Err(error) => {
            let fix = match error.kind() {
                ErrorKind::AddrInUse => "stop what uses it (ss -ltnp shows it), or choose another port",
                ErrorKind::PermissionDenied => {
                    "use a port from 1024, or give the binary CAP_NET_BIND_SERVICE (setcap or systemd's AmbientCapabilities)"
                }
                ErrorKind::AddrNotAvailable => {
                    "use an address of this machine (ip address shows them), or 0.0.0.0"
                }
                _ => "choose another address in http.listen",
            };
            Finding::bad(SUBJECT, format!("{address}: {error}"), fix)
        }
    }
}
