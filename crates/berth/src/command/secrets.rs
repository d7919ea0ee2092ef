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
            not_own(&named.name)?;
            let value = passwd::read()?;
            if value.is_empty() {
                bail!("a secret is not empty: `berth secrets remove {}` takes it away", named.name);
            }
            on(named.place, async |config, catalog| {
                let secrets = secrets(&config, catalog).await?;
                Ok(secrets.set(&named.name, value.as_bytes(), &author()).await?)
            })
        }
        SecretsCommand::Remove(named) => on(named.place, async |config, catalog| {
            not_own(&named.name)?;
            if !secrets(&config, catalog).await?.remove(&named.name, &author()).await? {
                bail!("there is no secret {:?}: `berth secrets list` names all", named.name);
            }
            Ok(())
        }),
    }
}

/// Keeps an operator from the secrets that Berth made for itself: without this one no checkpoint could be verified any more.
fn not_own(name: &str) -> Result<()> {
    if name == berth_audit::SIGNING_SECRET {
        bail!(
            "{name:?} is Berth's own: it signs the audit trail, and nothing else can verify what it signed"
        );
    }
    Ok(())
}

fn on(place: Place, work: impl AsyncFnOnce(Config, Catalog) -> Result<()>) -> Result<()> {
    let config = config::load(place.into())?.config;
    data::must_exist(&config)?;
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
        for (name, changed_at) in page.iter().filter(|(name, _)| name != berth_audit::SIGNING_SECRET) {
            // Writing to a String doesn't fail.
            let _ = writeln!(text, "{name}\t{changed_at}");
        }
        print(text)?;
    }
}
