//! `berth secrets rotate`: seals every secret anew, and makes a key for that where the operator keeps none.

use std::time::Duration;

use anyhow::{Result, bail};
use berth_access::{renew_key, reseal};
use berth_catalog::Catalog;

use super::super::print;
use crate::config::Config;
use crate::operator::author;
use crate::vault;

/// After this every node that can reach the catalog knows the key.
const FOLLOWED: Duration = Duration::from_secs(2);

/// Seals everything anew.
pub(super) async fn run(config: Config, catalog: Catalog) -> Result<()> {
    let mut vault = vault::open(&config, &catalog).await?;
    if !vault.is_configured() {
        renew_key(&catalog).await?;
        tokio::time::sleep(FOLLOWED).await;
        vault = vault::open(&config, &catalog).await?;
    }
    let done = reseal(&catalog, &vault, &author()).await?;
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
