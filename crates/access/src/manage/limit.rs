//! How many bindings, robots, roles and projects calls may make: every node holds all of them in memory.

use berth_catalog::{Reader, binding, project, robot, role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ManageError, Result};

/// How many of each calls may make. Every node holds all of it in memory and reads it again with every change, so who administers one
/// project must not make that dear for all. Commands at the machine are not bound by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManageLimits {
    /// Bindings in one project, and of those that hold everywhere.
    pub bindings_of_project: usize,
    /// Bindings in all. A twentieth is kept for those that hold everywhere.
    pub bindings: usize,
    /// Robots of one project, and of those of the system.
    pub robots_of_project: usize,
    /// Roles beside the built-in ones.
    pub roles: usize,
    /// Projects. Those that pushes make count, and are not bound by it.
    pub projects: usize,
}

impl Default for ManageLimits {
    fn default() -> Self {
        Self {
            bindings_of_project: 10_000,
            bindings: 200_000,
            robots_of_project: 2_000,
            roles: 2_000,
            projects: 100_000,
        }
    }
}

impl ManageLimits {
    /// Refuses, in the unit of work that is to make it, one binding more; `project` is empty for everywhere.
    pub(super) async fn on_bindings(&self, r: &Reader, project: &str) -> Result<()> {
        let of_one = binding::has_many(r, project, self.bindings_of_project).await?;
        refuse_if(of_one, "bindings in this place", self.bindings_of_project)?;
        // Whoever administers projects leaves room for those everywhere.
        let most = if project.is_empty() { self.bindings } else { self.bindings - self.bindings / 20 };
        refuse_if(binding::are_many(r, most).await?, "bindings", most)
    }

    /// Refuses one robot more; `project` is empty for the system's.
    pub(super) async fn on_robots(&self, r: &Reader, project: &str) -> Result<()> {
        let of_one = robot::has_many(r, project, self.robots_of_project).await?;
        refuse_if(of_one, "robots in this place", self.robots_of_project)
    }

    pub(super) async fn on_roles(&self, r: &Reader) -> Result<()> {
        refuse_if(role::are_many(r, self.roles).await?, "roles", self.roles)
    }

    pub(super) async fn on_projects(&self, r: &Reader) -> Result<()> {
        refuse_if(project::are_many(r, self.projects).await?, "projects", self.projects)
    }
}

fn refuse_if(full: bool, what: &'static str, most: usize) -> Result<()> {
    if full { Err(ManageError::Full { what, most }) } else { Ok(()) }
}
