//! `berth migrate status`: how far a move is, and which version of the tables the catalog has.

use std::process::ExitCode;

use anyhow::Result;
use berth_catalog::moving::{self, Moving, State};
use berth_catalog::{Catalog, Schema};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::{block_on, print};
use crate::cli::Place;
use crate::config::Config;
use crate::{config, data};

/// Whoever works a move says something more often than this.
const SILENCE: SignedDuration = SignedDuration::from_secs(15);

pub(super) fn run(place: Place) -> Result<ExitCode> {
    let config = config::load(place.into())?.config;
    let schema = block_on(data::schema(&config))?;
    let Schema { found, known } = schema;
    let advice = match found {
        0 => "there is no catalog yet; `berth serve` makes one".to_owned(),
        _ if found < known => "the next start of `berth serve` brings it up to date".to_owned(),
        _ if found > known => "it was made by a newer berth: run that one".to_owned(),
        _ => "up to date".to_owned(),
    };
    print(format!("catalog: version {found}, this binary: version {known}; {advice}\n"))?;
    if found != known {
        return Ok(ExitCode::FAILURE);
    }
    print(block_on(moved(&config))?)?;
    Ok(ExitCode::SUCCESS)
}

async fn moved(config: &Config) -> Result<String> {
    let catalog = data::look_at_catalog(config).await?;
    let Some(moving) = catalog.read(async |r| moving::find(r).await).await? else {
        return Ok("no migration is under way\n".to_owned());
    };
    let now = catalog.clock().now();
    let Moving { peer, started_at, changed_at, .. } = &moving;
    Ok(match moving.state {
        State::Copying | State::Resting => leaving(&catalog, &moving, now).await?,
        State::Gone => {
            format!("the registry has moved to {peer} at {changed_at}: it serves pulls only here\n")
        }
        State::Filling | State::Ready => {
            format!(
                "a registry is moving here since {started_at}, from store {peer}: its own `berth migrate status` says more\n"
            )
        }
        State::Restoring => {
            format!("point {peer} of a backup is being restored here since {started_at}\n")
        }
        State::Open => format!("the registry came here from store {peer}; it began on {started_at}\n"),
    })
}

async fn leaving(catalog: &Catalog, moving: &Moving, now: Timestamp) -> Result<String> {
    let waiting = catalog.read(async |r| moving::waiting(r).await).await?;
    let progress: Value = serde_json::from_str(&moving.progress).unwrap_or_default();
    let number = |name: &str| progress.get(name).and_then(Value::as_u64).unwrap_or(0);
    let phase = progress.get("phase").and_then(Value::as_str).unwrap_or("beginning");
    let how_far = match (number("done"), number("total")) {
        (0, 0) => String::new(),
        (done, 0) => format!(", {done}"),
        (done, total) => format!(", {done} of {total}"),
    };
    let silent = now.duration_since(moving.changed_at);
    let worker = match (phase, silent > SILENCE) {
        (_, false) => "it is being worked on".to_owned(),
        ("waiting for the switch", true) => "run `berth migrate` with --switch to go there".to_owned(),
        (_, true) => {
            format!("nobody has worked on it for {} s: run `berth migrate` again to go on", silent.as_secs())
        }
    };
    let rests = if moving.state == State::Resting && moving.rests_till > now { ", pushes rest" } else { "" };
    Ok(format!(
        "moving to {} since {}: {phase}{how_far}{rests}\n{waiting} rows have changed that are not there yet; {worker}\n",
        moving.peer, moving.started_at
    ))
}
