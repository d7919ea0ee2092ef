//! What decisions rest on, at one moment: roles, who holds them, which projects are public, who still stands.
//!
//! Every node holds one in memory and makes another when the catalog's generation of access changes. A decision asks no database.

mod administrators;
mod decide;
mod ended;
mod follow;
mod hidden;
mod holds;
mod load;
mod measure;
mod standing;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use follow::Source;
pub use holds::HeldRole;
pub(crate) use load::Stored;
pub(crate) use measure::Reach;
pub use standing::Gone;
use standing::{Account, Robot};

use crate::evidence::SecretId;
use crate::policy::{Book, Role, Rules, Subject};

/// What decisions rest on, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The catalog's generation of access that it was made from; `None` for what rests on a configuration alone.
    generation: Option<i64>,
    /// When it was read.
    at: Timestamp,
    rules: Arc<Rules>,
    book: Book,
    public: HashSet<Box<str>>,
    /// Since when what users of the configuration proved counts, of those of whom somebody ended all.
    logouts: HashMap<Box<str>, Timestamp>,
    /// When secrets ended, or will, of which tokens may be out.
    ended: HashMap<SecretId, Timestamp>,
    accounts: HashMap<Box<str>, Account>,
    robots: HashMap<Box<str>, Robot>,
}

impl Snapshot {
    /// Compiles what the configuration says and what the catalog holds.
    pub(crate) fn new(rules: &Arc<Rules>, stored: Stored) -> Self {
        let mut book = rules.book();
        let mut known = rules.roles.clone();
        for (name, policies) in stored.roles {
            let name: Arc<str> = name.into();
            // One that came into the configuration later stands there.
            known.entry(Arc::clone(&name)).or_insert_with(|| Arc::new(read(name, &policies)));
        }
        let mut projects: HashSet<Arc<str>> = HashSet::new();
        for binding in stored.bindings {
            // The role of the others was deleted.
            let Some(role) = known.get(binding.role.as_str()) else { continue };
            let Ok(subject) = Subject::new(binding.kind, &binding.subject) else { continue };
            let project = (!binding.project.is_empty()).then(|| intern(&mut projects, &binding.project));
            book.add(&subject, role, project.as_ref());
        }
        Self {
            generation: stored.generation,
            at: stored.at,
            rules: Arc::clone(rules),
            book,
            public: stored.public.into_iter().map(Into::into).collect(),
            logouts: stored.logouts.into_iter().map(|one| (one.name.into(), one.valid_after)).collect(),
            ended: stored.ended.into_iter().collect(),
            accounts: stored
                .accounts
                .into_iter()
                // The name is another's.
                .filter(|account| !rules.users.contains_key(account.name.as_str()))
                .map(Account::read)
                .collect(),
            robots: stored.robots.into_iter().map(|robot| Robot::read(robot, &mut projects)).collect(),
        }
    }

    /// Returns the generation that it was made from.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.generation
    }

    /// Returns what the configuration says.
    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Tells whether anybody can log in.
    pub(crate) fn has_users(&self) -> bool {
        self.rules.is_federated
            || !(self.rules.users.is_empty() && self.accounts.is_empty() && self.robots.is_empty())
    }
}

/// Compiles a role of the catalog's.
fn read(name: Arc<str>, policies: &str) -> Role {
    Role::read(Arc::clone(&name), policies).unwrap_or_else(|error| {
        tracing::error!(role = %name, %error, "a role can't be read: it denies everything until it is set anew");
        Role::unreadable(name)
    })
}

/// Keeps one copy of a name.
fn intern(names: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name: Arc<str> = name.into();
    names.insert(Arc::clone(&name));
    name
}
