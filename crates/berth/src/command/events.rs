//! `berth events tail`: the sealed event log as JSON lines.

use std::time::Duration;

use anyhow::Result;
use berth_catalog::{Catalog, event};

use super::audit::Names;
use super::{block_on, print};
use crate::cli::{self, EventsCommand};
use crate::{config, data};

/// Events read at a time.
const BATCH: usize = 500;
/// How often a follower looks for more: another process commits them.
const LOOK: Duration = Duration::from_millis(200);
/// Events shown when no position is given.
const LAST: i64 = 10;

pub(super) fn run(arguments: cli::Events) -> Result<()> {
    let EventsCommand::Tail(arguments) = arguments.command;
    let config = config::load(arguments.place.into())?.config;
    block_on(async move {
        let catalog = data::join_catalog(&config).await?;
        let start = match arguments.after {
            Some(after) => i64::try_from(after)?,
            None => catalog.read(async |r| event::last(r).await).await?.0.saturating_sub(LAST).max(0),
        };
        let names = Names::new(catalog.clone());
        tail(&catalog, names, start, arguments.follow).await
    })
}

/// Prints names in the place of pseudonyms; what is hashed is the pseudonym.
async fn tail(catalog: &Catalog, mut names: Names, mut position: i64, follow: bool) -> Result<()> {
    loop {
        let mut events = catalog.read(async |r| event::list(r, position, BATCH).await).await?;
        let mut lines = Vec::new();
        for event in &mut events {
            event.caller = names.of(&event.caller).await?;
            serde_json::to_writer(&mut lines, event)?;
            lines.push(b'\n');
            position = event.position;
        }
        print(&lines)?;
        if events.len() < BATCH {
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
