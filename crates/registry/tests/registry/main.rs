//! The registry through its public face, on a real catalog and a real disk.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test says what is wrong by panicking"
)]

mod bucket;
mod collect;
mod damage;
mod delete;
mod faults;
mod fixture;
mod model;
mod pull;
mod push;
mod races;
mod read_only;
mod upload;
mod verify;
