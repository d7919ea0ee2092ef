//! `berth migrate status`: which version of the tables the catalog has.

use std::process::ExitCode;

use anyhow::Result;

use super::super::{block_on, print};
use crate::cli::Place;
use crate::{config, data};

pub(super) fn run(place: Place) -> Result<ExitCode> {
    let config = config::load(place.into())?.config;
    let schema = block_on(data::schema(&config))?;
    let (found, known) = (schema.found, schema.known);
    let advice = match found {
        0 => "there is no catalog yet; `berth serve` makes one".to_owned(),
        _ if found < known => "the next start of `berth serve` brings it up to date".to_owned(),
        _ if found > known => "it was made by a newer berth: run that one".to_owned(),
        _ => "up to date".to_owned(),
    };
    print(format!("catalog: version {found}, this binary: version {known}; {advice}\n"))?;
    Ok(if found == known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
