mod known;

pub use known::{BindingMark, BindingsWanted, KnownBinding, Within};

use berth_catalog::binding::{self, Binding, NewBinding};
use berth_catalog::project;

use super::{ManageError, Management, Result, last, shared};
use crate::action::Action;
use crate::admin;
use crate::caller::Caller;
use crate::part;
use crate::policy::Subject;
use crate::resource::Resource;

/// Where roles are bound: in one project, or everywhere.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Project(&'a str),
    Everywhere,
}

impl Place<'_> {
    fn project(&self) -> Option<&str> {
        match self {
            Self::Project(name) => Some(name),
            Self::Everywhere => None,
        }
    }
}

impl Management {
    /// Finds one of a project's bindings.
    pub async fn member(&self, caller: &Caller, project: &str, id: i64) -> Result<Binding> {
        self.binding_at(caller, Place::Project(project), id).await
    }

    /// Binds a role in a project.
    pub async fn add_member(
        &self,
        caller: &Caller,
        project: &str,
        subject: &Subject,
        role: &str,
    ) -> Result<Binding> {
        self.bind_at(caller, Place::Project(project), subject, role).await
    }

    /// Takes a role in a project away.
    pub async fn remove_member(&self, caller: &Caller, project: &str, id: i64) -> Result<()> {
        self.unbind_at(caller, Place::Project(project), id).await
    }

    /// Finds one of the bindings that hold everywhere.
    pub async fn binding(&self, caller: &Caller, id: i64) -> Result<Binding> {
        self.binding_at(caller, Place::Everywhere, id).await
    }

    /// Binds a role everywhere.
    pub async fn bind(&self, caller: &Caller, subject: &Subject, role: &str) -> Result<Binding> {
        self.bind_at(caller, Place::Everywhere, subject, role).await
    }

    /// Takes away a role that was bound everywhere.
    pub async fn unbind(&self, caller: &Caller, id: i64) -> Result<()> {
        self.unbind_at(caller, Place::Everywhere, id).await
    }

    async fn bindings_at(
        &self,
        caller: &Caller,
        place: Place<'_>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Binding>> {
        self.read_members(caller, place).await?;
        let project = place.project().unwrap_or_default();
        Ok(self.catalog.read(async |r| binding::list_project(r, project, after, limit).await).await?)
    }

    async fn binding_at(&self, caller: &Caller, place: Place<'_>, id: i64) -> Result<Binding> {
        // Through its place, so that a number of somebody else's finds nothing.
        let found = self.bindings_at(caller, place, id.saturating_sub(1), 1).await?;
        found.into_iter().find(|binding| binding.id == id).ok_or(ManageError::Hidden)
    }

    async fn bind_at(
        &self,
        caller: &Caller,
        place: Place<'_>,
        subject: &Subject,
        role: &str,
    ) -> Result<Binding> {
        Self::in_person(caller)?;
        self.see_members(caller, place)?;
        self.access.may_grant(caller, place.project(), Some(subject))?;
        self.introduce(subject).await;
        let what = NewBinding {
            kind: subject.kind(),
            subject: subject.name().to_owned(),
            role: role.to_owned(),
            project: place.project().unwrap_or_default().to_owned(),
        };
        let (rules, author, now) = (self.access.rules(), caller.author(), self.access.now());
        let guard = last::Guard::before(&self.access);
        let own = caller.name().to_owned();
        self.change(async move |tx| {
            shared::refuse(tx, &rules, &own, what.kind, &what.subject).await?;
            if !what.project.is_empty() && project::find(tx, &what.project).await?.is_none() {
                return Err(ManageError::Hidden);
            }
            rules.limits.on_bindings(tx, &what.project).await?;
            let is_new = admin::bind(tx, &rules, &what, &author, now).await?;
            let made = binding::find(tx, &what).await?.ok_or(ManageError::Hidden)?;
            if !is_new {
                return Err(ManageError::Bound { id: made.id });
            }
            // A role that denies takes rights away, and a second duty both.
            guard.after(tx).await?;
            Ok(made)
        })
        .await
    }

    async fn unbind_at(&self, caller: &Caller, place: Place<'_>, id: i64) -> Result<()> {
        Self::in_person(caller)?;
        let what = self.binding_at(caller, place, id).await?.what;
        let subject = Subject::new(what.kind, &what.subject).ok();
        self.access.may_grant(caller, place.project(), subject.as_ref())?;
        let (rules, author, now) = (self.access.rules(), caller.author(), self.access.now());
        let guard = last::Guard::before(&self.access);
        let own = caller.name().to_owned();
        self.change(async move |tx| {
            shared::refuse(tx, &rules, &own, what.kind, &what.subject).await?;
            if !admin::unbind(tx, &what, &author, now).await? {
                return Err(ManageError::Hidden);
            }
            guard.after(tx).await
        })
        .await
    }

    /// Sees that a caller may know of the place.
    fn see_members(&self, caller: &Caller, place: Place<'_>) -> Result<()> {
        match place {
            Place::Project(name) => self.see_project(caller, name),
            Place::Everywhere => Ok(()),
        }
    }

    /// Sees that a caller may read who has which role there.
    async fn read_members(&self, caller: &Caller, place: Place<'_>) -> Result<()> {
        self.see_members(caller, place)?;
        match place {
            Place::Everywhere => {
                self.access.require(caller, Action::Read, Resource::System(part::ACCESS))?;
            }
            Place::Project(name) => {
                self.access.require(caller, Action::Read, Resource::Project(name))?;
                if self.catalog.read(async |r| project::find(r, name).await).await?.is_none() {
                    return Err(ManageError::Hidden);
                }
            }
        }
        Ok(())
    }
}
