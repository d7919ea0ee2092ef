//! `berth migrate`: from one data directory to Postgres and a bucket, while serving.

mod cancel;
mod status;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use berth_backup::{Audited, Move, Placed, Problem, Settled};
use berth_catalog::moving::{self, Moving, State, Target};
use berth_catalog::{Catalog, identity};
use berth_registry::Registry;
use serde_json::json;

use super::progress::{follow, progress_bar};
use super::{block_on, print};
use crate::cli::{self, MigrateCommand};
use crate::config::{self, Config, Flags};
use crate::{data, operator};

pub(super) fn run(arguments: cli::Migrate) -> Result<ExitCode> {
    match arguments.command {
        Some(MigrateCommand::Status(place)) => return status::run(place),
        Some(MigrateCommand::Cancel(arguments)) => return cancel::run(arguments),
        None => {}
    }
    let source = config::load(arguments.place.into())?.config;
    let target = config::load(Flags { file: arguments.to, ..Flags::default() })?.config;
    refuse_senseless(&source, &target)?;
    block_on(async {
        operator::note(&source, "migrate", json!({ "step": "begin", "switch": arguments.switch })).await;
        migrate(&source, &target, arguments.switch).await
    })
}

fn refuse_senseless(source: &Config, target: &Config) -> Result<()> {
    data::must_exist(source)?;
    if source.database.url.is_some() {
        bail!(
            "the registry lies in Postgres already: use `berth backup` and `berth restore` to move it elsewhere"
        );
    }
    if !target.is_stateless() {
        bail!("--to must name a configuration with database.url and storage.bucket");
    }
    Ok(())
}

async fn migrate(source: &Config, target: &Config, switch: bool) -> Result<ExitCode> {
    let from = data::join(source).await?;
    refuse_importing(source, &from).await?;
    let to = data::create(target, None).await?;
    let (moving, arriving) = begin(&from, target).await?;
    // From here on none can begin.
    refuse_importing(source, &from).await?;
    let bar = progress_bar();
    let watch = follow(&bar);
    let notes = data::placed(source, &store_of(&to.catalog).await?)?;
    let open = || Placed::open(&notes, to.blobs.clone());
    let (old, new) = (data::find_trail(source).await?, data::open_trail(target).await?);
    let (old_archives, new_archives) = (data::archives(source), data::archives(target));
    let leaving = old.as_ref().map(|trail| Audited { trail, archives: old_archives.as_ref() });
    let entering = Audited { trail: &new, archives: new_archives.as_ref() };
    if moving.state == State::Gone {
        let placed = notes.exists().then(open).transpose()?;
        return end(&moving, arriving, placed, leaving.map(|leaving| (leaving, entering))).await;
    }
    let placed = open()?;
    let peer = moving.peer.clone();
    let left = (from.catalog(), from.blobs().as_ref());
    let mut moving = Move::new(left, moving, (arriving, &to.catalog), placed, &watch);
    if let Some(leaving) = leaving {
        moving = moving.with_trail(leaving, entering);
    }
    let settled = moving.settle().await?;
    bar.finish_and_clear();
    say(&settled)?;
    let mut whole = settled.problems.is_empty() && settled.broken_event.is_none();
    if switch {
        let switched = moving.switch().await.context(
            "the switch did not end: `berth migrate status` says who counts; run the command again to go on",
        )?;
        list(&switched.problems)?;
        whole &= switched.problems.is_empty();
        record_switch(source, target, &peer).await;
        print(format!(
            "moved to {peer}: pushes rested for {:.1} s, in which {} rows came over\n\
             this registry serves pulls only from now on: start the new nodes with `berth serve --config`; when it has \
             stopped, run this once more: that brings what its audit trail recorded meanwhile\n",
            switched.seconds, switched.rows
        ))?;
    } else {
        print("everything goes on as before, and every change is noted: run it again with --switch\n")?;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The trail stays behind: the old one ends with where the registry went, the new one begins with where it came from.
async fn record_switch(source: &Config, target: &Config, peer: &str) {
    operator::note(source, "migrate", json!({ "step": "switched", "to": peer })).await;
    let from = std::path::absolute(&source.data_dir).unwrap_or_else(|_| source.data_dir.clone());
    let detail = json!({ "step": "arrived", "from": from.display().to_string() });
    match data::open_trail(target).await {
        Ok(trail) => operator::note_in(&trail, "migrate", detail).await,
        Err(error) => eprintln!("not recorded in the new audit trail: {error:#}"),
    }
}

async fn refuse_importing(source: &Config, from: &Registry) -> Result<()> {
    if data::is_importing(source, from.catalog()).await? {
        bail!(
            "another registry's store is being imported: wait until `berth import --status` says that all is in"
        );
    }
    Ok(())
}

/// Begins a move, or goes on with one.
async fn begin(from: &Registry, target: &Config) -> Result<(Moving, Target)> {
    let catalog = from.catalog();
    let known = catalog.read(async |r| moving::find(r).await).await?;
    let peer = peer_of(target);
    if let Some(known) = &known
        && known.state != State::Gone
        && known.peer != peer
    {
        bail!("the registry is moving to {}: end that with `berth migrate cancel` first", known.peer);
    }
    let (id, worker, clock) = (random(), random(), catalog.clock().clone());
    let unit = {
        let worker = worker.clone();
        async move |tx: &mut berth_catalog::Tx| moving::begin(tx, &id, &peer, &worker, clock.now()).await
    };
    let moving: Moving = catalog.write(unit).await?;
    match claim(catalog, &moving, &worker, target).await {
        Ok(arriving) => Ok((moving, arriving)),
        Err(error) => {
            if known.is_none() {
                // Nothing began: nothing is to be noted.
                catalog.write(async |tx| moving::cancel(tx).await).await?;
            }
            Err(error)
        }
    }
}

/// Claims the new database for a move.
async fn claim(catalog: &Catalog, moving: &Moving, worker: &str, target: &Config) -> Result<Target> {
    let settings = target.database.postgres()?.context("--to names no database")?;
    let may_begin = moving.state != State::Gone;
    let (store, now) = (store_of(catalog).await?, catalog.clock().now());
    Ok(Target::claim(&settings, &moving.id, &store, worker, (may_begin, now)).await?)
}

/// Ends a move whose moment has passed.
async fn end(
    moving: &Moving,
    mut arriving: Target,
    placed: Option<Placed>,
    trails: Option<(Audited<'_>, Audited<'_>)>,
) -> Result<ExitCode> {
    let peer = &moving.peer;
    let opened = arriving.moving().state == State::Open;
    if !opened && (!arriving.progress().is_loaded() || arriving.point().change != moving.applied) {
        bail!("the registry has moved to {peer}, and what --to names is not what it left there");
    }
    let records = match trails {
        Some((old, new)) => berth_backup::bring_trail(old, new, &follow(&progress_bar())).await?,
        None => 0,
    };
    if !opened {
        arriving.open().await?;
    }
    if let Some(placed) = placed {
        placed.tidy().await?;
        placed.finish(&arriving.locations().await?).await?;
    }
    print(if opened {
        format!(
            "the registry has moved to {peer} already; {records} records of its audit trail came after it\n"
        )
    } else {
        format!("moved to {peer}: start the new nodes with `berth serve --config`\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn list(problems: &[Problem]) -> Result<()> {
    for problem in problems {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    Ok(())
}

fn say(settled: &Settled) -> Result<()> {
    list(&settled.problems)?;
    if let Some(position) = settled.broken_event {
        print(format!("event {position}: its hash does not follow from the one before\n"))?;
    }
    let Settled { rows, changed, damaged, records, .. } = settled;
    Ok(print(format!(
        "{rows} rows compared, the same on both sides; {changed} changed meanwhile; {damaged} blobs are damaged; \
         {records} records of the audit trail came over\n"
    ))?)
}

async fn store_of(catalog: &Catalog) -> Result<String> {
    let store = catalog.read(async |r| identity::find(r).await).await?;
    store.context("the store has no name: start `berth serve` first")
}

/// How people are told where a registry goes.
fn peer_of(target: &Config) -> String {
    let url = target.database.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let bucket = target.storage.bucket.as_ref().map(|bucket| bucket.url.clone()).unwrap_or_default();
    format!("{url} and {bucket}")
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
