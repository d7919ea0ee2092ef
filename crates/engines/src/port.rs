//! Ports of the loopback address.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;

/// Below the range that the system takes for outgoing connections, so that a port stays free while its engine restarts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Finds a port that nobody listens on.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let random = RandomState::new().build_hasher().finish() % u64::from(RANGE.end - RANGE.start);
        let port = RANGE.start + u16::try_from(random).expect("it is below the length of the range");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of 127.0.0.1 is free");
}
