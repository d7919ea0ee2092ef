//! `berth access`: what the catalog and the configuration say of who may do what; and what the commands beside it share.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use berth_access::{Caller, Identity, Persons, Proof, ReadOnly, Rules, Subject};
use berth_catalog::binding::Kind;
use berth_catalog::event::Author;
use berth_catalog::mode::{self, Rest};
use berth_catalog::{Catalog, Tx};
use jiff::Timestamp;

use super::{block_on, print};
use crate::cli::{self, AccessCommand, Explain, Place};
use crate::config::{self, Config};
use crate::{data, operator, vault};

pub(super) fn run(arguments: cli::Access) -> Result<ExitCode> {
    let AccessCommand::Explain(arguments) = arguments.command;
    explain(arguments)
}

fn explain(arguments: Explain) -> Result<ExitCode> {
    let Explain { who, action, resource, groups, place } = arguments;
    let caller = caller(&who, groups)?;
    let config = config::load_for_serving(place.into())?.config;
    let decision = block_on(async {
        let catalog = data::join_catalog(&config).await?;
        let access = berth_access::Access::open(&config.access, &ReadOnly::default(), &catalog).await?;
        Ok(access.decide(&caller, action, &resource.resource()))
    })?;
    let verdict = if decision.is_allowed() { "allowed" } else { "denied" };
    print(format!("{verdict}: {decision}\n"))?;
    Ok(if decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes a bare word for a user, as logins do.
fn caller(who: &str, groups: Vec<String>) -> Result<Caller> {
    let subject = match who.parse::<Subject>() {
        Ok(subject) => subject,
        Err(_) => Subject::new(Kind::User, who)?,
    };
    let mut groups: Vec<Arc<str>> = groups.into_iter().map(Into::into).collect();
    let name: Arc<str> = subject.name().into();
    let identity = match subject.kind() {
        Kind::User => Identity::User(name),
        Kind::Robot => Identity::Robot(name),
        Kind::Workload => Identity::Workload(name),
        // Somebody of whom no more is known; no user has an empty name.
        Kind::Authenticated => Identity::User("".into()),
        Kind::Group => {
            groups.push(name);
            Identity::User("".into())
        }
        Kind::Anonymous => Identity::Anonymous,
    };
    Ok(Caller::new(identity, Proof::Order).with_groups(groups.into()))
}

/// What a command that changes who may do what works with.
pub(super) struct Desk {
    pub(super) catalog: Catalog,
    pub(super) rules: Arc<Rules>,
    config: Config,
}

impl Desk {
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let (catalog, rules) = (data::join_catalog(config).await?, Arc::new(config.access.validate()?));
        Ok(Self { catalog, rules, config: config.clone() })
    }

    /// Lets logs know whom something is about to be given, so that they can tell without the name.
    pub(super) async fn introduce(&self, subject: &Subject) -> Result<()> {
        if subject.kind() == Kind::User {
            let vault = vault::open(&self.config, &self.catalog).await?;
            Persons::new(self.catalog.clone(), vault).of(subject.name()).await?;
        }
        Ok(())
    }

    /// Makes a change in one transaction. Every node heeds it within a second.
    pub(super) async fn change<T, F>(&self, change: F) -> Result<T>
    where
        F: AsyncFn(&mut Tx, &Rules, &Author, Timestamp) -> berth_access::admin::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let now = self.catalog.clock().now();
        if let Some(rest) = self.catalog.read(async |r| mode::rests(r, now).await).await? {
            let why = match rest {
                Rest::Moved => "the registry has moved: do this where it is now",
                Rest::Told => "the registry is read-only: `berth read-only off` first",
                _ => "the registry is moving or being restored: try again when that is done",
            };
            bail!("nothing was changed: {why}");
        }
        let (rules, author) = (Arc::clone(&self.rules), operator::author());
        let changed = self.catalog.write(async move |tx| change(tx, &rules, &author, now).await).await?;
        Ok(changed)
    }
}

/// Loads the configuration and does something at the desk.
pub(super) fn at_desk<T>(place: Place, work: impl AsyncFnOnce(Desk) -> Result<T>) -> Result<T> {
    let config = config::load(place.into()).context("the configuration can't be used")?.config;
    block_on(async { work(Desk::open(&config).await?).await })
}
