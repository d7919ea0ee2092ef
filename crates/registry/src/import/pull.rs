//! Import from a running registry: repositories are pulled from it, tag by tag, and pushed here.
//!
//! Nothing is half visible. Blobs come first, then the manifests below, then what refers to them (signatures, bills of materials), and
//! at last the manifest itself, whose tag moves in the same unit of work. What is here already is not fetched again, so that another
//! run costs one question per tag. What the other registry sends is compared with its digest before anybody can see it.
//!
//! A durable job does this ([`PullJob`]), through the same doors as a push of a client: permits, events, limits.

mod blob;
mod fault;
mod job;
mod order;
mod possession;
mod referrers;
mod report;
mod run;
mod select;
mod start;
mod tag;
mod transfer;
mod tree;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use berth_access::{Operator, Permit, Push};
use berth_client::Upstream;
use berth_oci::{Digest, RepositoryName};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use crate::{Error, Registry};
use fault::Fault;
use select::Selection;

pub use job::PullJob;
pub use order::PullOrder;
pub use report::PullReport;

/// Who the events of such an import name as their cause, and whose its uploads are.
const CALLER: &str = "import:registry";

/// One import at work; shared by its tasks.
#[derive(Debug)]
struct Pulling {
    registry: Registry,
    upstream: Upstream,
    operator: Operator,
    selection: Selection,
    order: PullOrder,
    standing: Mutex<report::Standing>,
    /// Turns true when the work should end soon.
    stop: watch::Receiver<bool>,
    /// How many blobs come at a time.
    transfers: Semaphore,
    /// Blobs that somebody is bringing: who needs the same waits, and finds it here.
    turns: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    /// Blobs that a dry run has counted.
    counted: Mutex<HashSet<Digest>>,
}

/// A repository there and here.
#[derive(Debug)]
struct Source {
    from: RepositoryName,
    to: RepositoryName,
    /// Its tags there, wanted or not: some refer to what others name.
    tags: BTreeSet<String>,
    push: Permit<Push>,
}

impl Pulling {
    fn source(&self, from: RepositoryName, to: RepositoryName, tags: Vec<String>) -> Result<Source, Fault> {
        // The only refusal there is.
        let push = self.operator.permit(&to).map_err(|_| Fault::Registry(Error::ReadOnly))?;
        Ok(Source { from, to, tags: tags.into_iter().collect(), push })
    }

    fn check_stop(&self) -> Result<(), Fault> {
        if *self.stop.borrow() { Err(Fault::Stopped) } else { Ok(()) }
    }

    fn tally(&self, note: impl FnOnce(&mut PullReport)) {
        note(&mut self.standing.lock().report);
    }
}
