//! `berth migrate cancel`: the registry stays where it is.

use std::process::ExitCode;

use anyhow::{Result, bail};
use berth_catalog::moving::{self, State};
use berth_catalog::{Catalog, Clock};

use super::super::{block_on, print};
use super::{claim, random};
use crate::cli;
use crate::config::{self, Config, Flags};
use crate::data;

pub(super) fn run(arguments: cli::Cancel) -> Result<ExitCode> {
    let source = config::load(arguments.place.into())?.config;
    let target = arguments.to.map(|file| config::load(Flags { file: Some(file), ..Flags::default() }));
    let target = target.transpose()?.map(|loaded| loaded.config);
    data::must_exist(&source)?;
    block_on(cancel(&source, target.as_ref()))
}

async fn cancel(source: &Config, target: Option<&Config>) -> Result<ExitCode> {
    let catalog: Catalog = data::join_catalog(source).await?;
    let Some(moving) = catalog.read(async |r| moving::find(r).await).await? else {
        print("no migration is under way\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    if moving.state == State::Gone {
        bail!(
            "the registry has moved to {}: the way back is `berth backup` there and `berth restore`",
            moving.peer
        );
    }
    // Another command that works it finds itself replaced.
    let (worker, clock) = (random(), Clock::system());
    let unit = {
        let worker = worker.clone();
        async move |tx: &mut berth_catalog::Tx| moving::begin(tx, "", "", &worker, clock.now()).await
    };
    let moving = catalog.write(unit).await?;
    if let Some(target) = target {
        claim(&catalog, &moving, &worker, target).await?.clear().await?;
    }
    catalog.write(async |tx| moving::cancel(tx).await).await?;
    print("the migration is cancelled: the registry stays where it is\n")?;
    Ok(ExitCode::SUCCESS)
}
