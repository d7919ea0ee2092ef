//! `berth keys`: the keys that tokens are signed with.

use anyhow::{Context as _, Result};
use berth_access::{Successor, rotate};
use berth_catalog::signing_key;

use super::{block_on, print};
use crate::cli::{self, KeysCommand, Place};
use crate::operator::author;
use crate::{config, data, vault};

pub(super) fn run(arguments: cli::Keys) -> Result<()> {
    match arguments.command {
        KeysCommand::Rotate(flags) => {
            let when = if flags.at_once { Successor::AtOnce } else { Successor::Now };
            next(flags.place, when)
        }
        KeysCommand::List(place) => list(place),
    }
}

fn next(place: Place, when: Successor) -> Result<()> {
    let config = config::load(place.into())?.config;
    block_on(async {
        let catalog = data::join_catalog(&config).await?;
        let vault = vault::open(&config, &catalog).await?;
        let kid = rotate(&catalog, &vault, when, &author()).await?.context("no key was made")?;
        Ok(print(format!("{kid} signs from now on\n"))?)
    })
}

fn list(place: Place) -> Result<()> {
    let config = config::load(place.into())?.config;
    block_on(async {
        let catalog = data::join_catalog(&config).await?;
        let keys = catalog.read(async |r| signing_key::list(r).await).await?;
        let newest = keys.iter().find(|key| key.gone_at.is_none()).map(|key| key.kid.clone());
        let now = catalog.clock().now();
        for key in keys {
            let state = match key.gone_at {
                _ if newest.as_ref() == Some(&key.kid) => "signs".to_owned(),
                None => "verifies".to_owned(),
                Some(gone) if gone <= now => format!("ended at {gone}"),
                Some(gone) => format!("verifies until {gone}"),
            };
            print(format!("{}\tmade at {}\t{state}\n", key.kid, key.created_at))?;
        }
        Ok(())
    })
}
