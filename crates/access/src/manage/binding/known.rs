//! Who has which role: what the catalog binds, and behind it what the configuration does, where calls can't change it.

use std::fmt;
use std::str::FromStr;

use berth_catalog::binding::{self, Binding};
use jiff::Timestamp;

use super::super::{BATCH, Management, Result};
use crate::caller::Caller;
use crate::policy::Subject;

/// Where the bindings count that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within<'a> {
    /// In one project, by a binding of its own.
    Project(&'a str),
    /// Everywhere.
    Everywhere,
    /// In any project, or everywhere.
    Anywhere,
}

/// Which bindings are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingsWanted {
    /// Those of this subject alone.
    pub subject: Option<Subject>,
    /// Those of this role alone.
    pub role: Option<String>,
}

/// A binding, wherever it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBinding {
    /// Its place in lists.
    pub mark: BindingMark,
    /// Whom the role is bound to.
    pub subject: String,
    /// The role.
    pub role: String,
    /// The only project in which it counts.
    pub project: Option<String>,
    /// When it was made; none of the configuration's.
    pub created_at: Option<Timestamp>,
    /// Who made it; none of the configuration's.
    pub created_by: Option<String>,
}

/// A binding's place in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingMark {
    /// The number of one that the catalog has.
    Stored(i64),
    /// The place of one that the configuration has, counted from 1.
    Fixed(usize),
}

impl BindingMark {
    /// Before all.
    pub const START: Self = Self::Stored(0);
}

impl fmt::Display for BindingMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(id) => write!(f, "{id}"),
            Self::Fixed(place) => write!(f, "fixed-{place}"),
        }
    }
}

impl FromStr for BindingMark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("fixed-") {
            Some(place) => Ok(Self::Fixed(place.parse()?)),
            None => Ok(Self::Stored(text.parse()?)),
        }
    }
}

impl Management {
    /// Lists who has which role, behind `after`.
    pub async fn known_bindings(
        &self,
        caller: &Caller,
        within: Within<'_>,
        wanted: &BindingsWanted,
        after: BindingMark,
        limit: usize,
    ) -> Result<Vec<KnownBinding>> {
        let project = match within {
            Within::Project(name) => Some(name),
            Within::Everywhere | Within::Anywhere => None,
        };
        self.read_who(caller, project).await?;
        let (stored, fixed) = match after {
            BindingMark::Stored(after) => (self.stored(within, wanted, after, limit).await?, 0),
            BindingMark::Fixed(place) => (Vec::new(), place),
        };
        let authors =
            self.names_of(stored.iter().map(|binding| binding.created_by.clone()).collect()).await?;
        let mut known: Vec<_> =
            stored.into_iter().zip(authors).map(|(binding, by)| of(binding, by)).collect();
        let rules = self.access.rules();
        let configured = rules.bindings().enumerate().skip(fixed).filter(|(_, (subject, role, project))| {
            wanted.subject.as_ref().is_none_or(|wanted| wanted == *subject)
                && wanted.role.as_ref().is_none_or(|wanted| wanted == role)
                && match within {
                    Within::Project(name) => *project == Some(name),
                    Within::Everywhere => project.is_none(),
                    Within::Anywhere => true,
                }
        });
        let configured = configured.map(|(place, (subject, role, project))| KnownBinding {
            mark: BindingMark::Fixed(place + 1),
            subject: subject.to_string(),
            role: role.to_owned(),
            project: project.map(ToOwned::to_owned),
            created_at: None,
            created_by: None,
        });
        known.extend(configured.take(limit.saturating_sub(known.len())));
        Ok(known)
    }

    /// Finds up to `limit` of those that the catalog has.
    async fn stored(
        &self,
        within: Within<'_>,
        wanted: &BindingsWanted,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Binding>> {
        let role = wanted.role.as_deref();
        let Some(subject) = &wanted.subject else {
            let found = self.catalog.read(async |r| match within {
                Within::Project(name) => binding::list_role_in(r, name, role, after, limit).await,
                Within::Everywhere => binding::list_role_in(r, "", role, after, limit).await,
                Within::Anywhere => binding::list_role(r, role, after, limit).await,
            });
            return Ok(found.await?);
        };
        // One subject has few, so the rest is sorted out here.
        let (mut after, mut found) = (after, Vec::new());
        loop {
            let (kind, name) = (subject.kind(), subject.name());
            let page = self
                .catalog
                .read(async |r| binding::list_subject_from(r, kind, name, after, BATCH).await)
                .await?;
            let is_last = page.len() < BATCH;
            after = page.last().map_or(after, |last| last.id);
            found.extend(page.into_iter().filter(|binding| {
                let what = &binding.what;
                role.is_none_or(|role| role == what.role)
                    && match within {
                        Within::Project(name) => what.project == name,
                        Within::Everywhere => what.project.is_empty(),
                        Within::Anywhere => true,
                    }
            }));
            if is_last || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// Says who made a binding, by name.
    pub async fn known_binding(&self, binding: Binding) -> Result<KnownBinding> {
        let by = self.name_of(binding.created_by.clone()).await?;
        Ok(of(binding, by))
    }
}

fn of(binding: Binding, by: String) -> KnownBinding {
    let Binding { id, what, created_at, .. } = binding;
    let subject = Subject::new(what.kind, &what.subject);
    KnownBinding {
        mark: BindingMark::Stored(id),
        subject: subject.map_or(what.subject, |subject| subject.to_string()),
        role: what.role,
        project: Some(what.project).filter(|project| !project.is_empty()),
        created_at: Some(created_at),
        created_by: Some(by),
    }
}
