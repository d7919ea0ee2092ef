//! Projects: which of them a caller sees, and who may make, change, open to everybody and delete them.

use berth_catalog::project::{self, Project};

use super::{BATCH, MOST_SEEN, ManageError, Management, Result};
use crate::action::Action;
use crate::admin::{self, ProjectChange};
use crate::caller::Caller;
use crate::resource::{Resource, is_project};

impl Management {
    /// Lists the projects that a caller may know of, in the order of their names, behind `after`. Who sees few gets a page that ends
    /// early, and the name behind which to go on.
    pub async fn projects(
        &self,
        caller: &Caller,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Project>, Option<String>)> {
        let (mut after, mut found, mut looked_at) = (after.to_owned(), Vec::new(), 0);
        loop {
            let page = self.catalog.read(async |r| project::list(r, &after, BATCH).await).await?;
            let is_last = page.len() < BATCH;
            looked_at += page.len();
            if let Some(last) = page.last() {
                after.clone_from(&last.name);
            }
            let visible = page
                .into_iter()
                .filter(|project| self.see(caller, &Resource::Project(&project.name)).is_ok());
            found.extend(visible.take(limit - found.len()));
            if is_last || found.len() >= limit {
                return Ok((found, None));
            }
            if looked_at >= MOST_SEEN {
                return Ok((found, Some(after)));
            }
        }
    }

    /// Finds a project that a caller may know of.
    pub async fn project(&self, caller: &Caller, name: &str) -> Result<Project> {
        self.see_project(caller, name)?;
        self.catalog.read(async |r| project::find(r, name).await).await?.ok_or(ManageError::Hidden)
    }

    /// Makes a project, and nobody a member of it.
    pub async fn create_project(&self, caller: &Caller, name: &str, public: bool) -> Result<Project> {
        Self::in_person(caller)?;
        if !is_project(name) {
            return Err(admin::AdminError::ProjectName(name.chars().take(64).collect()).into());
        }
        self.access.require(caller, Action::Create, Resource::Project(name))?;
        if public {
            // As of one that is there: a push fills it, and everybody may pull what it brings.
            self.may_open(caller, name)?;
        }
        let (rules, author, now, name) =
            (self.access.rules(), caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            rules.limits.on_projects(tx).await?;
            admin::create_project(tx, &name, public, &author, now).await?;
            project::find(tx, &name).await?.ok_or(ManageError::Hidden)
        })
        .await
    }

    /// Changes a project. Whether everybody may pull is for whoever says who may do what in it.
    pub async fn change_project(
        &self,
        caller: &Caller,
        name: &str,
        change: ProjectChange,
    ) -> Result<Project> {
        Self::in_person(caller)?;
        self.see_project(caller, name)?;
        if change.public.is_some() {
            if change.public == Some(true) {
                self.may_open(caller, name)?;
            } else {
                self.access.may_grant(caller, Some(name), None)?;
            }
        }
        if change.settings.is_some() {
            self.access.require(caller, Action::Update, Resource::Project(name))?;
        }
        let (author, now, name) = (caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            if project::find(tx, &name).await?.is_none() {
                return Err(ManageError::Hidden);
            }
            admin::change_project(tx, &name, &change, &author, now).await?;
            project::find(tx, &name).await?.ok_or(ManageError::Hidden)
        })
        .await
    }

    /// Deletes a project without repositories.
    pub async fn delete_project(&self, caller: &Caller, name: &str) -> Result<()> {
        Self::in_person(caller)?;
        self.see_project(caller, name)?;
        self.access.require(caller, Action::Delete, Resource::Project(name))?;
        let (author, now, name) = (caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            if project::find(tx, &name).await?.is_none() {
                return Err(ManageError::Hidden);
            }
            Ok(admin::delete_project(tx, &name, &author, now).await?)
        })
        .await
    }

    /// Sees that a caller may let everybody pull what is in a project.
    fn may_open(&self, caller: &Caller, name: &str) -> Result<()> {
        self.access.may_grant(caller, Some(name), None)?;
        if self.access.rules().separation {
            // Everybody is the caller, too: who only says who pulls would come to pull.
            self.access.require(caller, Action::Administer, Resource::Project(name))?;
        }
        Ok(())
    }

    /// Sees that a caller may know of a project. A name that none can have is one that is not there.
    pub(super) fn see_project(&self, caller: &Caller, name: &str) -> Result<()> {
        if !is_project(name) {
            return Err(ManageError::Hidden);
        }
        self.see(caller, &Resource::Project(name)).map(drop)
    }
}
