//! The server on real sockets: connections, TLS, limits, shutdown, and what it tells operators.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod connections;
mod limits;
mod logs;
mod ops;
mod overload;
mod rates;
mod shutdown;
mod support;
mod tls;
