//! The client against registries that misbehave on purpose; real ones are in `tests/suite`.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod auth;
mod message;
mod pages;
mod script;
mod trouble;
