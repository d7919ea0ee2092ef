//! Puts together what keeps the trail of a registry that is served, and runs it until the server stops.

use std::path::PathBuf;
use std::sync::Arc;

use berth_access::Persons;
use berth_blobs::Shelf;
use berth_catalog::Catalog;
use berth_catalog::trail::Trail;
use berth_vault::Vault;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::checkpoint::Checkpoints;
use crate::config::Config;
use crate::erase;
use crate::error::Result;
use crate::follower::Follower;
use crate::keys::SigningKeys;
use crate::recorder::{Batches, Recorder};
use crate::retention::Retention;
use crate::spool::Spool;

/// Where files may lie.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// For records that can't be written for now.
    pub spool: Option<PathBuf>,
    /// For archives.
    pub archive: Option<PathBuf>,
}

/// Everything that keeps the trail of a registry that is served. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    config: Config,
    catalog: Catalog,
    trail: Trail,
    persons: Persons,
    spool: Arc<Mutex<Option<Spool>>>,
    place: Place,
    recorder: Recorder,
    follower: Follower,
    checkpoints: Checkpoints,
    keys: SigningKeys,
}

impl Audit {
    /// Makes what is missing: the key that signs, and the one that stands for nobody in particular.
    pub async fn open(
        config: &Config,
        catalog: &Catalog,
        trail: Trail,
        persons: Persons,
        vault: Vault,
        place: Place,
    ) -> Result<Self> {
        // A place that can't be used shows at the start, not when it is needed.
        let spool = place.spool.as_ref().map(|place| Spool::open(place, config.spool_bytes, vault.clone()));
        let spool = spool.transpose()?;
        let keys = SigningKeys::open(catalog, &vault).await?;
        persons.of(Persons::NOBODY).await?;
        Ok(Self {
            recorder: Recorder::new(config),
            follower: Follower::new(catalog.clone(), trail.clone(), persons.clone()),
            checkpoints: Checkpoints::new(trail.clone(), keys.clone(), config),
            config: config.clone(),
            catalog: catalog.clone(),
            trail,
            persons,
            spool: Arc::new(Mutex::new(spool)),
            place,
            keys,
        })
    }

    /// Returns where notes are handed in.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Returns the trail itself.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Returns the persons that it names.
    pub fn persons(&self) -> &Persons {
        &self.persons
    }

    /// Counts the events that are not in the trail yet.
    pub async fn lag(&self) -> Result<u64> {
        self.follower.lag().await
    }

    /// Keeps the trail until `stop` says true, which must be after the last request: then it writes what is left and signs.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<()> {
        let spool = self.spool.lock().take();
        let batches = Batches::new(self.recorder, self.trail.clone(), self.persons, spool);
        let archiver = self.place.archive.map(|place| {
            let archive = Shelf::directory(&place);
            let days = self.config.retention_days.0;
            Retention::new(self.trail.clone(), self.keys, archive, days)
        });
        let archiving = async {
            if let Some(archiver) = archiver {
                archiver.run(stop.clone()).await;
            } else {
                tracing::info!("old records of the audit trail stay: audit.archive_dir is not set");
            }
        };
        tokio::join!(
            batches.run(stop.clone()),
            self.follower.run(stop.clone()),
            self.checkpoints.clone().run(stop.clone()),
            archiving,
            erase::run(self.catalog, self.trail, stop.clone()),
        );
        self.checkpoints.take().await.map(drop)
    }
}
