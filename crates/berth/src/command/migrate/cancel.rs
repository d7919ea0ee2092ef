//! `berth migrate cancel`: the registry stays where it is.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use berth_catalog::moving::{self, Moving, State};
use berth_catalog::trail::taking;
use berth_catalog::{Catalog, Clock};
use serde_json::json;

use super::super::{block_on, print};
use super::{claim, random};
use crate::cli;
use crate::config::{self, Config, Flags};
use crate::{data, operator};

pub(super) fn run(arguments: cli::Cancel) -> Result<ExitCode> {
    let source = config::load(arguments.place.into())?.config;
    let target = arguments.to.map(|file| config::load(Flags { file: Some(file), ..Flags::default() }));
    let target = target.transpose()?.map(|loaded| loaded.config);
    data::must_exist(&source)?;
    block_on(async {
        operator::note(&source, "migrate_cancel", json!({})).await;
        cancel(&source, target.as_ref()).await
    })
}

async fn cancel(source: &Config, target: Option<&Config>) -> Result<ExitCode> {
    let catalog: Catalog = data::join_catalog(source).await?;
    let Some(moving) = catalog.read(async |r| moving::find(r).await).await? else {
        print("no migration is under way\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    refuse_gone(&moving)?;
    // Another command that works it finds itself replaced.
    let (worker, clock) = (random(), Clock::system());
    let unit = {
        let worker = worker.clone();
        async move |tx: &mut berth_catalog::Tx| moving::begin(tx, "", "", &worker, clock.now()).await
    };
    let moving: Moving = catalog.write(unit).await?;
    // A switch may have ended while this waited for its turn to write.
    refuse_gone(&moving)?;
    let arriving = match target {
        Some(target) => Some(claim(&catalog, &moving, &worker, target).await?),
        None => None,
    };
    // Here first: from this commit on the new side can't become the truth, so what is there may go.
    catalog.write(async |tx| moving::cancel(tx).await).await?;
    if let Some(arriving) = arriving {
        arriving.clear().await.context(
            "the migration is cancelled, but the new database could not be emptied: the next migration from here does that",
        )?;
    }
    if let Some(target) = target {
        data::open_trail(target).await?.write(async |tx| taking::clear(tx).await).await?;
    }
    print("the migration is cancelled: the registry stays where it is\n")?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_gone(moving: &Moving) -> Result<()> {
    if moving.state == State::Gone {
        bail!(
            "the registry has moved to {}: the way back is `berth backup` there and `berth restore`",
            moving.peer
        );
    }
    Ok(())
}
