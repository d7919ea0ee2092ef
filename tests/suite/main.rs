//! End to end: the built binary, real clients, crashes, faults and races.
//!
//! Every test starts its own `berth serve` on a free port in a directory of its own, so all may run at once. The programs that
//! they drive come from `scripts/test`; one that is missing fails the test that needs it.

mod access;
mod architecture;
mod attack;
mod audit;
mod audit_search;
mod backup;
mod chaos;
mod clients;
mod cluster;
mod conformance;
mod crash;
mod deploy;
mod durability;
mod faults;
mod federation;
mod first_password;
mod harness;
mod import;
mod import_registry;
mod lifecycle;
mod migrate;
mod races;
mod regressions;
mod roles;
mod stale;
mod users;
