//! `berth audit`: what the trail says, and whether it is whole.

mod erase;
mod list;
mod names;
mod verify;

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_access::Persons;
use berth_audit::{Checkpoints, SigningKeys};
use berth_catalog::Catalog;
use berth_catalog::trail::Trail;
use serde_json::json;

pub(super) use names::Names;

use super::{block_on, print};
use crate::cli::{self, AuditCommand, CheckpointAudit, Place};
use crate::config::{self, Config};
use crate::{data, operator, vault};

pub(super) fn run(arguments: cli::Audit) -> Result<ExitCode> {
    match arguments.command {
        AuditCommand::Verify(arguments) => return verify::run(arguments),
        AuditCommand::List(arguments) => list::list(arguments)?,
        AuditCommand::Export(arguments) => list::export(arguments)?,
        AuditCommand::Checkpoint(arguments) => checkpoint(arguments)?,
        AuditCommand::Key(place) => on(place, async |opened| {
            for key in opened.keys().await?.public() {
                print(format!("{key}\n"))?;
            }
            Ok(())
        })?,
        AuditCommand::Erase(arguments) => erase::run(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that commands about the trail look at, beside whoever serves it.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
    pub(super) trail: Trail,
}

impl Opened {
    async fn new(config: Config) -> Result<Self> {
        let catalog = data::join_catalog(&config).await?;
        let trail = data::join_trail(&config).await?;
        Ok(Self { config, catalog, trail })
    }

    /// Returns who can open what is sealed.
    pub(super) async fn persons(&self) -> Result<Persons> {
        let vault = vault::open(&self.config, &self.catalog).await?;
        Ok(Persons::new(self.catalog.clone(), vault))
    }

    /// Returns the keys that sign checkpoints.
    pub(super) async fn keys(&self) -> Result<SigningKeys> {
        let vault = vault::open(&self.config, &self.catalog).await?;
        let keys = SigningKeys::find(&self.catalog, &vault).await?;
        keys.context("the catalog keeps no key that signs the audit trail: `berth serve` makes it")
    }
}

pub(super) fn on<T>(place: Place, work: impl AsyncFnOnce(Opened) -> Result<T>) -> Result<T> {
    let config = config::load(place.into())?.config;
    block_on(async { work(Opened::new(config).await?).await })
}

fn checkpoint(arguments: CheckpointAudit) -> Result<()> {
    on(arguments.place, async |opened| {
        let keys = opened.keys().await?;
        operator::record(&opened.trail, "checkpoint", json!({})).await?;
        let checkpoints = Checkpoints::new(opened.trail.clone(), keys, &opened.config.audit);
        let signed = checkpoints.take().await?.context("nothing is recorded yet")?;
        let mut text = serde_json::to_vec(&signed)?;
        text.push(b'\n');
        let Some(file) = arguments.out else { return Ok(print(text)?) };
        // A checkpoint that was handed out is evidence: none replaces another.
        let written = File::create_new(&file).and_then(|mut file| file.write_all(&text));
        written.with_context(|| format!("{} can't be written: name a new file", file.display()))?;
        Ok(print(format!("record {} signed in {}\n", signed.position, file.display()))?)
    })
}
