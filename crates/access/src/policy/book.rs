//! Who holds which role where, kept so that a decision finds all roles of a subject by its name.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use berth_catalog::binding::Kind;

use super::duty::Duties;
use super::role::Role;
use super::subject::Subject;

/// Who holds which role where.
#[derive(Debug, Default)]
pub(crate) struct Book {
    by_name: [HashMap<Box<str>, Held>; 4],
    authenticated: Held,
    anonymous: Held,
}

/// The roles that one subject holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    everywhere: Vec<Arc<Role>>,
    within: HashMap<Arc<str>, Vec<Arc<Role>>, Cheap>,
}

/// One source of randomness for all the small maps: each would otherwise keep keys of its own.
#[derive(Debug, Clone)]
pub(crate) struct Cheap(Arc<RandomState>);

impl Default for Cheap {
    fn default() -> Self {
        static ONE: std::sync::LazyLock<Arc<RandomState>> = std::sync::LazyLock::new(Arc::default);
        Self(Arc::clone(&ONE))
    }
}

impl BuildHasher for Cheap {
    type Hasher = <RandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

/// A role that a caller holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) role: &'a Arc<Role>,
    pub(crate) kind: Kind,
    pub(crate) subject: &'a str,
    /// The project it is confined to.
    pub(crate) project: Option<&'a Arc<str>>,
}

impl Book {
    pub(crate) fn add(&mut self, subject: &Subject, role: &Arc<Role>, project: Option<&Arc<str>>) {
        self.held_mut(subject.kind(), subject.name()).add(role, project);
    }

    fn held_mut(&mut self, kind: Kind, name: &str) -> &mut Held {
        match named(kind) {
            Some(index) => self.by_name[index].entry(name.into()).or_default(),
            None if kind == Kind::Anonymous => &mut self.anonymous,
            None => &mut self.authenticated,
        }
    }

    /// Returns what a subject holds.
    pub(crate) fn held(&self, kind: Kind, name: &str) -> Option<&Held> {
        match named(kind) {
            Some(index) => self.by_name[index].get(name),
            None if kind == Kind::Anonymous => Some(&self.anonymous),
            None => Some(&self.authenticated),
        }
    }

    /// Returns the duties that every subject has by what it holds itself.
    pub(crate) fn duties(&self) -> impl Iterator<Item = (Kind, &str, Duties)> {
        const KINDS: [Kind; 4] = [Kind::User, Kind::Group, Kind::Robot, Kind::Workload];
        let named = KINDS
            .into_iter()
            .zip(&self.by_name)
            .flat_map(|(kind, held)| held.iter().map(move |(name, held)| (kind, &**name, held.duties())));
        named.chain([
            (Kind::Authenticated, "", self.authenticated.duties()),
            (Kind::Anonymous, "", self.anonymous.duties()),
        ])
    }
}

fn named(kind: Kind) -> Option<usize> {
    match kind {
        Kind::User => Some(0),
        Kind::Group => Some(1),
        Kind::Robot => Some(2),
        Kind::Workload => Some(3),
        Kind::Authenticated | Kind::Anonymous => None,
    }
}

impl Held {
    pub(crate) fn add(&mut self, role: &Arc<Role>, project: Option<&Arc<str>>) {
        match project {
            None => self.everywhere.push(Arc::clone(role)),
            Some(project) => self.within.entry(Arc::clone(project)).or_default().push(Arc::clone(role)),
        }
    }

    pub(crate) fn duties(&self) -> Duties {
        self.everywhere.iter().fold(Duties::NONE, |all, role| all.or(role.duties))
    }

    /// Shows the roles that count in a project, or for what lies in none.
    pub(crate) fn each<'a>(
        &'a self,
        (kind, subject): (Kind, &'a str),
        project: Option<&str>,
        see: &mut impl FnMut(Bound<'a>),
    ) {
        for role in &self.everywhere {
            see(Bound { role, kind, subject, project: None });
        }
        if let Some((project, roles)) = project.and_then(|project| self.within.get_key_value(project)) {
            for role in roles {
                see(Bound { role, kind, subject, project: Some(project) });
            }
        }
    }

    /// Lists every role, and the project that each is confined to.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Arc<Role>, Option<&Arc<str>>)> {
        let everywhere = self.everywhere.iter().map(|role| (role, None));
        let within = self.within.iter();
        everywhere
            .chain(within.flat_map(|(project, roles)| roles.iter().map(move |role| (role, Some(project)))))
    }

    /// Tells whether a role that counts anywhere might let somebody see a repository.
    pub(crate) fn lists(&self) -> bool {
        self.everywhere.iter().any(|role| role.lists())
            || self.within.values().flatten().any(|role| role.lists())
    }
}
