//! `berth read-only`: tells all nodes whether to refuse pushes and deletes.

use std::time::Duration;

use anyhow::{Result, bail};
use berth_catalog::Catalog;
use berth_catalog::event;
use berth_catalog::mode::{self, Rest};
use serde_json::json;

use super::{block_on, print};
use crate::cli::{self, Place, ReadOnlyCommand};
use crate::config::{self, Config};
use crate::{data, operator};

/// After this every node that can reach the catalog has followed, and what it was writing has ended.
const FOLLOWED: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: cli::ReadOnly) -> Result<()> {
    match arguments.command {
        ReadOnlyCommand::On(place) => switch(place, true),
        ReadOnlyCommand::Off(place) => switch(place, false),
        ReadOnlyCommand::Status(place) => {
            let config = config::load(place.into())?.config;
            block_on(status(&config))
        }
    }
}

fn switch(place: Place, on: bool) -> Result<()> {
    let config = config::load(place.into())?.config;
    block_on(async {
        let catalog = data::join_catalog(&config).await?;
        let now = catalog.clock().now();
        if catalog.read(async |r| mode::rests(r, now).await).await? == Some(Rest::Moved) {
            bail!("the registry has moved, and never writes here again: `berth migrate status` says where");
        }
        catalog
            .write(async move |tx| {
                if mode::set_read_only(tx, on, now).await? {
                    event::append(tx, operator::event(json!({ "action": "read_only", "on": on }), now)).await;
                }
                Ok::<_, berth_catalog::Error>(())
            })
            .await?;
        tokio::time::sleep(FOLLOWED).await;
        say(&config, &catalog).await
    })
}

async fn status(config: &Config) -> Result<()> {
    say(config, &data::join_catalog(config).await?).await
}

async fn say(config: &Config, catalog: &Catalog) -> Result<()> {
    let mode = catalog.read(async |r| mode::find(r).await).await?;
    let now = catalog.clock().now();
    print(match catalog.read(async |r| mode::rests(r, now).await).await? {
        Some(Rest::Moved) => "the registry has moved: pulls only, `berth migrate status` says where\n",
        Some(Rest::Switching) => "pushes rest for the switch of `berth migrate`\n",
        Some(Rest::Told | Rest::Arriving | Rest::Restoring) | None => "",
    })?;
    let since = mode.changed_at.map_or_else(String::new, |at| format!(" since {at}"));
    let state = if mode.read_only { "read-only" } else { "read and write" };
    print(format!("{state}{since}\n"))?;
    if config.access.read_only && !mode.read_only {
        print("nodes whose configuration has access.read_only stay read-only\n")?;
    }
    Ok(())
}
