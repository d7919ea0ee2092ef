//! How many of each there may be. Every node holds all of it in memory and reads it again with every change, so who administers one
//! project must not make that dear for all.

use berth_catalog::{Reader, binding, project, robot, role};

use super::{ManageError, Result};

/// Bindings in one project, or everywhere.
const BINDINGS_OF_ONE: usize = 10_000;
const BINDINGS: usize = 200_000;
/// Robots of one project, or of the system.
const ROBOTS_OF_ONE: usize = 2_000;
const ROLES: usize = 2_000;
/// Those that a call makes; who may push where makes the others.
const PROJECTS: usize = 100_000;

pub(super) async fn on_bindings(r: &Reader, project: &str) -> Result<()> {
    let of_one = binding::has_many(r, project, BINDINGS_OF_ONE).await?;
    refuse_if(of_one, "bindings in this place", BINDINGS_OF_ONE)?;
    refuse_if(binding::are_many(r, BINDINGS).await?, "bindings", BINDINGS)
}

pub(super) async fn on_robots(r: &Reader, project: &str) -> Result<()> {
    let of_one = robot::has_many(r, project, ROBOTS_OF_ONE).await?;
    refuse_if(of_one, "robots in this place", ROBOTS_OF_ONE)
}

pub(super) async fn on_roles(r: &Reader) -> Result<()> {
    refuse_if(role::are_many(r, ROLES).await?, "roles", ROLES)
}

pub(super) async fn on_projects(r: &Reader) -> Result<()> {
    refuse_if(project::are_many(r, PROJECTS).await?, "projects", PROJECTS)
}

fn refuse_if(full: bool, what: &'static str, most: usize) -> Result<()> {
    if full { Err(ManageError::Full { what, most }) } else { Ok(()) }
}
