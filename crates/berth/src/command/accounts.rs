//! What the commands for accounts and robots share.

use std::sync::Arc;

use anyhow::Result;
use berth_access::{Accounts, Persons};
use berth_catalog::Catalog;
use berth_vault::Vault;
use jiff::{Timestamp, Unit};

use crate::cli::Place;
use crate::config::{self, Config};
use crate::{data, vault};

/// Opens the accounts beside whoever serves them.
pub(super) async fn open(place: Place) -> Result<(Config, Accounts)> {
    let (config, accounts, ..) = open_all(place).await?;
    Ok((config, accounts))
}

async fn open_all(place: Place) -> Result<(Config, Accounts, Catalog, Vault)> {
    let config = config::load(place.into())?.config;
    let catalog = data::join_catalog(&config).await?;
    let vault = vault::open(&config, &catalog).await?;
    let accounts = Accounts::new(catalog.clone(), &config.access, Some(Arc::new(vault.clone())));
    Ok((config, accounts, catalog, vault))
}

/// Opens the accounts to change one. Logs get to know its owner before the change, so that they can tell whom it was made to.
pub(super) async fn open_to_change(place: Place, name: &str) -> Result<(Config, Accounts)> {
    let (config, accounts, catalog, vault) = open_all(place).await?;
    accounts.user(name).await?;
    Persons::new(catalog, vault).of(name).await?;
    Ok((config, accounts))
}

/// A time to the second; a dash for none.
pub(super) fn shown(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.round(Unit::Second).unwrap_or(at).to_string())
}

/// Lays rows out in columns.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
