//! `berth secrets`: what the catalog keeps sealed, and the key that it is sealed under.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use berth_access::{Secrets, reseal};
use berth_catalog::{Catalog, Error, access_generation, secret, vault_key};
use berth_vault::{Key, Vault};

use super::accounts::operator;
use super::{block_on, passwd, print};
use crate::cli::{self, Place, SecretsCommand};
use crate::config::{self, Config};
use crate::{data, vault};

/// After this every node that can reach the catalog knows the key.
const FOLLOWED: Duration = Duration::from_secs(2);
const PAGE: usize = 200;

pub(super) fn run(arguments: cli::Secrets) -> Result<()> {
    match arguments.command {
        SecretsCommand::Rotate(place) => on(place, rotate),
        SecretsCommand::List(place) => on(place, async |_, catalog| list(&catalog).await),
        SecretsCommand::Set(named) => {
            let value = passwd::read()?;
            on(named.place, async |config, catalog| {
                let secrets = secrets(&config, catalog).await?;
                Ok(secrets.set(&named.name, value.as_bytes(), &operator()).await?)
            })
        }
        SecretsCommand::Remove(named) => on(named.place, async |config, catalog| {
            if !secrets(&config, catalog).await?.remove(&named.name, &operator()).await? {
                bail!("there is no secret {:?}: `berth secrets list` names all", named.name);
            }
            Ok(())
        }),
    }
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

async fn rotate(config: Config, catalog: Catalog) -> Result<()> {
    let mut vault = vault::open(&config, &catalog).await?;
    if !vault.is_configured() {
        vault = renewed(&config, &catalog).await?;
    }
    let done = reseal(&catalog, &vault, &operator()).await?;
    let (renewed, current) = (done.renewed, done.current);
    print(format!(
        "{renewed} sealed anew under key {}, {current} were sealed under it already\n",
        vault.current()?
    ))?;
    if !done.lost.is_empty() {
        for lost in &done.lost {
            print(format!("not opened: {lost}\n"))?;
        }
        bail!(
            "{} could not be opened and stay as they are: name the key that they are sealed under",
            done.lost.len()
        );
    }
    Ok(())
}

/// Makes another key, keeps it in the catalog, and waits until every node seals under it.
async fn renewed(config: &Config, catalog: &Catalog) -> Result<Vault> {
    let key = Key::generate()?;
    let (kid, material, now) = (key.id().to_string(), key.material().to_vec(), catalog.clock().now());
    catalog
        .write(async move |tx| {
            vault_key::insert(tx, &kid, Some(&material), now).await?;
            access_generation::bump(tx).await?;
            Ok::<_, Error>(())
        })
        .await?;
    tokio::time::sleep(FOLLOWED).await;
    vault::open(config, catalog).await
}

async fn list(catalog: &Catalog) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = catalog.read(async |r| secret::list(r, &after, PAGE).await).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        let mut text = String::new();
        for (name, changed_at) in &page {
            // Writing to a String doesn't fail.
            let _ = writeln!(text, "{name}\t{changed_at}");
        }
        print(text)?;
    }
}
