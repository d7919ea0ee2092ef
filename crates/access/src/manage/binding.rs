//! Who has which role, in a project or everywhere.

mod known;

pub use known::{BindingMark, BindingsWanted, KnownBinding, Within};

use berth_catalog::binding::{self, Binding, Kind, NewBinding};
use berth_catalog::project as projects;
use berth_catalog::{Reader, account};

use super::{ManageError, Management, Result, last, shared};
use crate::admin;
use crate::caller::Caller;
use crate::policy::Subject;

impl Management {
    /// Finds a binding by its number: one of a project's, or one that holds everywhere.
    pub async fn binding(&self, caller: &Caller, project: Option<&str>, id: i64) -> Result<Binding> {
        self.read_who(caller, project).await?;
        // Through its place, so that a number of somebody else's finds nothing.
        let (place, before) = (project.unwrap_or_default(), id.saturating_sub(1));
        let found = self.catalog.read(async |r| binding::list_project(r, place, before, 1).await).await?;
        found.into_iter().find(|binding| binding.id == id).ok_or(ManageError::Hidden)
    }

    /// Binds a role, in a project or everywhere.
    pub async fn bind(
        &self,
        caller: &Caller,
        project: Option<&str>,
        subject: &Subject,
        role: &str,
    ) -> Result<Binding> {
        Self::in_person(caller)?;
        self.see_place(caller, project)?;
        self.access.may_grant(caller, project, Some(subject))?;
        self.introduce(subject).await;
        let what = NewBinding {
            kind: subject.kind(),
            subject: subject.name().to_owned(),
            role: role.to_owned(),
            project: project.unwrap_or_default().to_owned(),
        };
        let (rules, author, now) = (self.access.rules(), caller.author(), self.access.now());
        let guard = self.guard_of(project);
        let own = caller.name().to_owned();
        self.change(async move |tx| {
            shared::refuse(tx, &rules, &own, what.kind, &what.subject).await?;
            if !what.project.is_empty() && projects::find(tx, &what.project).await?.is_none() {
                return Err(ManageError::Hidden);
            }
            rules.limits.on_bindings(tx, &what.project).await?;
            if rules.separation && what.kind == Kind::User {
                own_password(tx, &what.subject).await?;
            }
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

    /// Takes a role away that was bound in a project, or everywhere.
    pub async fn unbind(&self, caller: &Caller, project: Option<&str>, id: i64) -> Result<()> {
        Self::in_person(caller)?;
        let what = self.binding(caller, project, id).await?.what;
        let subject = Subject::new(what.kind, &what.subject).ok();
        self.access.may_grant(caller, project, subject.as_ref())?;
        let (rules, author, now) = (self.access.rules(), caller.author(), self.access.now());
        let guard = self.guard_of(project);
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

    /// What is bound in a project neither gives nor takes rights on the system, so nothing is asked of all there are.
    fn guard_of(&self, project: Option<&str>) -> last::Guard {
        match project {
            Some(_) => last::Guard::of_nothing(&self.access),
            None => last::Guard::before(&self.access),
        }
    }
}

/// Sees that nobody else knows the password of an account that is to get a role: whoever made it, or set its password, would have the
/// role as well.
async fn own_password(r: &Reader, user: &str) -> Result<()> {
    match account::find(r, user).await? {
        Some(account) if account.must_change => Err(ManageError::NotOwn { name: account.name }),
        _ => Ok(()),
    }
}
