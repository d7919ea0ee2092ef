//! The parts of the system that roles can name: `system/PART`.

/// The configuration in effect, limits, keys, read-only mode.
pub const CONFIGURATION: &str = "configuration";
/// Background work: collection, scrubs, imports.
pub const JOBS: &str = "jobs";
/// Users' accounts.
pub const USERS: &str = "users";
/// Roles, bindings and robots of the system: who may do what. To administer it is to say that in projects, too.
pub const ACCESS: &str = "access";
/// Projects as such. What it allows to list, read, create, update and delete holds for every project, and for nothing in it.
pub const PROJECTS: &str = "projects";
/// The audit trail.
pub const AUDIT: &str = "audit";

/// Every part.
pub const ALL: [&str; 6] = [CONFIGURATION, JOBS, USERS, ACCESS, PROJECTS, AUDIT];
