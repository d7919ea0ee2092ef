//! The server on real sockets: connections, TLS, limits, shutdown, and what it tells operators.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod connections;
mod drain;
mod figures;
mod idle;
mod limits;
mod logs;
mod ops;
mod origins;
mod overload;
mod rates;
mod rates_between;
mod shutdown;
mod support;
mod tls;
