//! What is looked at, for whichever clauses ask for it.

mod logins;
mod people;
mod storage;
mod trail;
mod transit;

pub(super) use logins::{anonymous, logins, passwords};
pub(super) use people::{default_accounts, duties, factors, superfluous};
pub(super) use storage::{backups, blobs_sealed, hashed, redundancy, scrubbed, sealed};
pub(super) use trail::{kept, recorded, unbroken};
pub(super) use transit::{destinations, ports, transit};
