//! What every group of rows shares: the servers, the size of the run, the words on the way.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::content::{Content, manifest};
use crate::figure::Table;
use crate::registry::Registry;
use crate::roster::Roster;
use crate::server::Server;

/// One run of the benchmark.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Who takes part.
    pub(crate) roster: Roster,
    /// Less of everything, for a first look.
    pub(crate) quick: bool,
    /// The project's own tree, for the size and the build of the binary.
    pub(crate) source: PathBuf,
    /// Tags in the full database of the `tags` group.
    pub(crate) tags: u64,
}

impl Bench {
    /// How often each figure is measured; the table shows the median.
    pub(crate) fn runs(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// How long a load lasts, in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        if self.quick { 1 } else { 3 }
    }

    /// The same as a duration.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds())
    }

    /// An empty table with a column for each registry and each limit.
    pub(crate) fn table(&self, title: &'static str, note: impl Into<String>, limits: &[&str]) -> Table {
        Table::new(title, note, &self.roster.names(), limits)
    }
}

/// Pushes an image of one layer under a tag and gives back the bytes of its manifest.
pub(crate) fn push_image(server: &Server, repository: &str, tag: &str, layer: &Content) -> Result<Vec<u8>> {
    let mut registry = Registry::new(server.address);
    let config = Content::fresh(200);
    registry.push_blob(repository, &config)?;
    registry.push_blob(repository, layer)?;
    let (bytes, _) = manifest(&config, std::slice::from_ref(layer));
    registry.push_manifest(repository, tag, &bytes)?;
    Ok(bytes)
}

/// Runs `work` on as many threads as there are clients; the answer is what each gave and the seconds it took.
pub(crate) fn clients<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<(Vec<T>, f64)> {
    let start = Instant::now();
    let results: Result<Vec<T>> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || work(index))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a client thread failed"))?)
            .collect()
    });
    Ok((results?, start.elapsed().as_secs_f64()))
}

/// Tells the person who waits what is going on.
pub(crate) fn say(what: &str) {
    eprintln!("… {what}");
}
