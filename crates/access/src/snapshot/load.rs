//! Reads what decisions rest on from the catalog, all of it as of one moment.

use berth_catalog::binding::{Binding, NewBinding};
use berth_catalog::logout::{self, Logout};
use berth_catalog::page::all;
use berth_catalog::{Catalog, Error, Reader, access_generation, binding, project, role, standing};
use jiff::Timestamp;

use super::ended::ended;
use crate::evidence::SecretId;

/// Rows read at a time.
pub(super) const PAGE: usize = 2000;

/// What the catalog holds of all that decisions rest on.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) generation: Option<i64>,
    pub(crate) at: Timestamp,
    pub(crate) roles: Vec<(String, String)>,
    pub(crate) bindings: Vec<NewBinding>,
    pub(crate) public: Vec<String>,
    pub(crate) accounts: Vec<standing::Account>,
    pub(crate) robots: Vec<standing::Robot>,
    pub(crate) logouts: Vec<Logout>,
    /// Secrets that ended, or will, of which tokens may be out.
    pub(crate) ended: Vec<(SecretId, Timestamp)>,
}

impl Stored {
    /// Nothing: for what rests on a configuration alone.
    pub(crate) fn nothing(at: Timestamp) -> Self {
        Self {
            generation: None,
            at,
            roles: Vec::new(),
            bindings: Vec::new(),
            public: Vec::new(),
            accounts: Vec::new(),
            robots: Vec::new(),
            logouts: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Reads all of it as of one moment.
    pub(crate) async fn load(catalog: &Catalog) -> Result<Self, Error> {
        // Before the reading: who is issued something afterwards may be new.
        let at = catalog.clock().now();
        catalog.snapshot(async move |r| Self::read(r, at).await).await
    }

    /// Reads, in a unit of work, what rights on the system rest on.
    pub(crate) async fn of_system(r: &Reader, at: Timestamp) -> Result<Self, Error> {
        let bindings = all(PAGE, async |last: Option<&Binding>| {
            binding::list_project(r, "", last.map_or(0, |binding| binding.id), PAGE).await
        });
        let bindings = bindings.await?.into_iter().map(|binding| binding.what).collect();
        let (roles, accounts) = (Self::roles(r).await?, Self::accounts(r).await?);
        Ok(Self { roles, bindings, accounts, ..Self::nothing(at) })
    }

    async fn roles(r: &Reader) -> Result<Vec<(String, String)>, Error> {
        all(PAGE, async |last: Option<&(String, String)>| {
            let page = role::list(r, last.map_or("", |(name, _)| name), PAGE).await?;
            Ok(page.into_iter().map(|role| (role.name, role.policies)).collect())
        })
        .await
    }

    async fn accounts(r: &Reader) -> Result<Vec<standing::Account>, Error> {
        all(PAGE, async |last: Option<&standing::Account>| {
            standing::list_accounts(r, last.map_or("", |account| &account.name), PAGE).await
        })
        .await
    }

    async fn read(r: &Reader, at: Timestamp) -> Result<Self, Error> {
        let generation = Some(access_generation::find(r).await?);
        let (roles, accounts) = (Self::roles(r).await?, Self::accounts(r).await?);
        let bindings = all(PAGE, async |last: Option<&Binding>| {
            binding::list(r, last.map_or(0, |binding| binding.id), PAGE).await
        });
        let bindings = bindings.await?.into_iter().map(|binding| binding.what).collect();
        let public = all(PAGE, async |last: Option<&String>| {
            project::list_public(r, last.map_or("", String::as_str), PAGE).await
        });
        let public = public.await?;
        let robots = all(PAGE, async |last: Option<&standing::Robot>| {
            standing::list_robots(r, last.map_or("", |robot| &robot.name), PAGE).await
        });
        let robots = robots.await?;
        let logouts = all(PAGE, async |last: Option<&Logout>| {
            logout::list(r, last.map_or("", |logout| &logout.name), PAGE).await
        });
        let (logouts, ended) = (logouts.await?, ended(r, at).await?);
        Ok(Self { generation, at, roles, bindings, public, accounts, robots, logouts, ended })
    }
}
