//! The client against registries that misbehave on purpose; real ones are in `tests/suite`.

mod auth;
mod script;
mod trouble;
