//! `berth secrets`: what the catalog keeps sealed, and the key that it is sealed under.

mod rotate;

use std::fmt::Write as _;

use anyhow::{Result, bail};
use berth_access::Secrets;
use berth_catalog::{Catalog, secret};

use super::{block_on, passwd, print};
use crate::cli::{self, Place, SecretsCommand};
use crate::config::{self, Config};
use crate::operator::author;
use crate::{data, vault};

const PAGE: usize = 200;

pub(super) fn run(arguments: cli::Secrets) -> Result<()> {
    match arguments.command {
        SecretsCommand::Rotate(place) => on(place, rotate::run),
        SecretsCommand::List(place) => on(place, async |_, catalog| list(&catalog).await),
        SecretsCommand::Set(named) => {
            let value = passwd::read()?;
            on(named.place, async |config, catalog| {
                let secrets = secrets(&config, catalog).await?;
                secrets.set(&named.name, value.as_bytes(), &author()).await?;
                Ok(print(format!("secret {} is set\n", named.name))?)
            })
        }
        SecretsCommand::Remove(named) => on(named.place, async |config, catalog| {
            if let Some((key, name)) = config.access.stored_secrets().find(|(_, name)| *name == named.name) {
                bail!("secret {name} is in use: {key} names it; take it out of the configuration first");
            }
            if !secrets(&config, catalog).await?.remove(&named.name, &author()).await? {
                bail!("there is no secret {:?}: `berth secrets list` names all", named.name);
            }
            Ok(print(format!("secret {} is gone\n", named.name))?)
        }),
    }
}

fn on(place: Place, work: impl AsyncFnOnce(Config, Catalog) -> Result<()>) -> Result<()> {
    let config = config::load(place.into())?.config;
    block_on(async {
        let catalog = data::join_catalog(&config).await?;
        work(config, catalog).await
    })
}

async fn secrets(config: &Config, catalog: Catalog) -> Result<Secrets> {
    let vault = vault::open(config, &catalog).await?;
    Ok(Secrets::new(catalog, vault))
}

async fn list(catalog: &Catalog) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = catalog.read(async |r| secret::list(r, &after, PAGE).await).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        let mut text = String::new();
        for (name, changed_at) in page.iter().filter(|(name, _)| !secret::OWN.contains(&name.as_str())) {
            // Writing to a String doesn't fail.
            let _ = writeln!(text, "{name}\t{changed_at}");
        }
        print(text)?;
    }
}
