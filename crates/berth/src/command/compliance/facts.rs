//! What the report rests on: the configuration, and what the catalog and the trail hold.

use std::sync::Arc;

use anyhow::Result;
use berth_access::{Access, Action, Caller, Identity, Proof, ReadOnly, Resource, part};
use berth_catalog::account::{self, Account, Source};
use berth_catalog::page::all;
use berth_catalog::project::{self, Project};
use berth_catalog::robot::{self, Robot};
use berth_catalog::trail::{self, checkpoint, head};
use berth_catalog::{Catalog, vault_key};
use berth_oci::RepositoryName;
use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::{data, vault};

/// Rows read at a time.
const PAGE: usize = 500;
/// An account that nobody used for so long is superfluous.
const UNUSED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A project that nobody has, so that only what holds everywhere is asked.
const NOBODYS: &str = "berth--compliance--report";

/// What was found.
#[derive(Debug)]
pub(super) struct Facts {
    /// When they were gathered.
    pub(super) at: Timestamp,
    pub(super) config: Config,
    pub(super) people: People,
    pub(super) robots: Robots,
    pub(super) open: Open,
    pub(super) trail: Option<TrailFacts>,
    /// Whether secrets are sealed under a key that lies in the catalog beside them; none while nothing was sealed.
    pub(super) key_in_catalog: Option<bool>,
}

/// Accounts, by number.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) all: usize,
    /// In the configuration.
    pub(super) configured: usize,
    pub(super) local: usize,
    pub(super) disabled: usize,
    pub(super) with_factor: usize,
    pub(super) unused: usize,
    pub(super) harbor_hashes: bool,
    /// Who may change something of the system.
    pub(super) administrators: usize,
    pub(super) administrators_without_factor: usize,
    /// Who may administer two of configuration, access and audit.
    pub(super) with_two_duties: Vec<String>,
}

/// What somebody may do who brings no credentials.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) everywhere_push: bool,
    pub(super) everywhere_pull: bool,
    /// Projects that everybody may push to.
    pub(super) projects_push: usize,
    /// Projects that everybody may pull from.
    pub(super) projects_pull: usize,
}

/// Robots, by number.
#[derive(Debug, Default)]
pub(super) struct Robots {
    pub(super) all: usize,
    pub(super) without_end: usize,
    pub(super) expired: usize,
    pub(super) unused: usize,
}

/// The audit trail.
#[derive(Debug)]
pub(super) struct TrailFacts {
    pub(super) records: u64,
    pub(super) signed_until: Option<i64>,
    pub(super) last: i64,
    /// When a backup was last completed.
    pub(super) backup: Option<Timestamp>,
}

impl Facts {
    /// Gathers them beside whoever serves.
    pub(super) async fn gather(config: Config) -> Result<Self> {
        let catalog = data::join_catalog(&config).await?;
        let access = Access::open(&config.access, &ReadOnly::default(), &catalog).await?;
        let now = catalog.clock().now();
        let people = people(&catalog, &access, &config, now).await?;
        let robots = robots(&catalog, now).await?;
        let open = open(&catalog, &access).await?;
        let trail = trail(&config).await;
        let keys = catalog.read(async |r| vault_key::list(r).await).await?;
        let configured = !vault::configured(&config).await?.is_empty();
        let kept = keys.iter().any(|key| key.material.is_some());
        let key_in_catalog = (configured || kept).then_some(!configured);
        Ok(Self { at: now, config, people, robots, open, trail, key_in_catalog })
    }
}

async fn people(catalog: &Catalog, access: &Access, config: &Config, now: Timestamp) -> Result<People> {
    let mut people =
        People { all: config.access.users.len(), configured: config.access.users.len(), ..People::default() };
    let configured = config.access.users.iter().map(|user| (user.name.clone(), false));
    let mut known: Vec<(String, bool)> = configured.collect();
    let page = async |last: Option<&Account>| {
        let after = last.map_or("", |account| &account.name);
        catalog.read(async |r| account::list(r, after, PAGE).await).await
    };
    for account in all(PAGE, page).await? {
        people.count(&account, now);
        if account.disabled_at.is_none() {
            known.push((account.name, account.totp.is_some() || account.source == Source::Oidc));
        }
    }
    people.harbor_hashes = catalog.read(async |r| account::any_of_harbor(r).await).await?;
    for (name, has_factor) in known {
        people.judge(access, name, has_factor);
    }
    Ok(people)
}

impl People {
    fn count(&mut self, account: &Account, now: Timestamp) {
        self.all += 1;
        self.local += usize::from(account.source == Source::Local);
        self.disabled += usize::from(account.disabled_at.is_some());
        self.with_factor += usize::from(account.totp.is_some());
        let used = account.seen_at.unwrap_or(account.created_at);
        self.unused += usize::from(account.disabled_at.is_none() && now.duration_since(used) > UNUSED);
    }

    fn judge(&mut self, access: &Access, name: String, has_factor: bool) {
        use Action::{Administer, Delete, Update};
        let caller = Caller::new(Identity::User(Arc::from(name.as_str())), Proof::None);
        let may = |part: &str, action: Action| access.granted(&caller, &Resource::System(part)).has(action);
        let changes = part::ALL
            .into_iter()
            .any(|part| [Administer, Delete, Update].into_iter().any(|action| may(part, action)));
        self.administrators += usize::from(changes);
        self.administrators_without_factor += usize::from(changes && !has_factor);
        if access.has_two_duties(&caller) {
            self.with_two_duties.push(name);
        }
    }
}

async fn robots(catalog: &Catalog, now: Timestamp) -> Result<Robots> {
    let page = async |last: Option<&Robot>| {
        let after = last.map_or("", |robot| &robot.name);
        catalog.read(async |r| robot::list(r, after, PAGE).await).await
    };
    let mut robots = Robots::default();
    for robot in all(PAGE, page).await? {
        robots.all += 1;
        robots.without_end += usize::from(robot.expires_at.is_none());
        robots.expired += usize::from(robot.expires_at.is_some_and(|end| end <= now));
        let used = robot.used_at.unwrap_or(robot.created_at);
        robots.unused += usize::from(now.duration_since(used) > UNUSED);
    }
    Ok(robots)
}

async fn open(catalog: &Catalog, access: &Access) -> Result<Open> {
    let (push, pull) = may_anybody(access, NOBODYS)?;
    let mut open = Open { everywhere_push: push, everywhere_pull: pull, ..Open::default() };
    let page = async |last: Option<&Project>| {
        let after = last.map_or("", |project| &project.name);
        catalog.read(async |r| project::list(r, after, PAGE).await).await
    };
    for project in all(PAGE, page).await? {
        let (push, pull) = may_anybody(access, &project.name)?;
        open.projects_push += usize::from(push);
        open.projects_pull += usize::from(pull);
    }
    Ok(open)
}

/// Tells whether whoever brings no credentials may push to a repository of a project, and pull from it.
fn may_anybody(access: &Access, project: &str) -> Result<(bool, bool)> {
    let repository: RepositoryName = format!("{project}/any").parse()?;
    let granted = access.granted(&Caller::anonymous(), &Resource::Repository(&repository));
    let push = [Action::Create, Action::Update].into_iter().any(|action| granted.has(action));
    Ok((push, granted.has(Action::Pull)))
}

/// A trail that is not there yet, or can't be read, is a finding and no failure of the report.
async fn trail(config: &Config) -> Option<TrailFacts> {
    let opened = data::join_trail(config).await.ok()?;
    let found = opened.read(async |r| {
        let head = head::find(r).await?;
        // Positions have no gaps.
        let records = u64::try_from(head.position - head.first + 1).unwrap_or_default();
        let signed_until = checkpoint::last(r).await?.map(|checkpoint| checkpoint.position);
        let backup = trail::last_done(r, "backup_completed").await?;
        Ok::<_, berth_catalog::Error>(TrailFacts { records, signed_until, last: head.position, backup })
    });
    found.await.ok()
}
