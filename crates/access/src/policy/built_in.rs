//! The roles that every installation has.

use super::role::{Effect, PolicyConfig, RoleConfig};
use crate::action::Action::{
    self, Administer, Create, Delete, List, Pull, Push, Read, Replicate, Scan, Update,
};
use crate::part;

pub(crate) const ADMINISTRATOR: &str = "administrator";
pub(crate) const MAINTAINER: &str = "maintainer";
pub(crate) const GUEST: &str = "guest";

const PROJECTS: &str = "project/*";

/// Lists the built-in roles, mightiest first.
pub(crate) fn roles() -> Vec<RoleConfig> {
    let system = |name: &str| format!("system/{name}");
    vec![
        role(ADMINISTRATOR, "everything", [policy(["system/*".into(), PROJECTS.into()], &[Administer])]),
        // The three duties that GB/T 22239 keeps apart: none can do another's work.
        role(
            "system-administrator",
            "runs the registry: configuration, work, accounts, projects; no contents, no rights, no trail",
            [
                policy([part::CONFIGURATION, part::JOBS, part::USERS].map(system), &[Administer]),
                policy([system(part::PROJECTS)], &[List, Read, Create, Update, Delete]),
            ],
        ),
        role(
            "security-administrator",
            "says who may do what: roles, bindings, robots; touches neither contents nor the trail",
            [
                policy([system(part::ACCESS)], &[Administer]),
                policy([part::USERS, part::PROJECTS].map(system), &[List, Read]),
            ],
        ),
        role("audit-administrator", "keeps the audit trail", [policy([system(part::AUDIT)], &[Administer])]),
        role("project-admin", "everything in a project", [policy([PROJECTS.into()], &[Administer])]),
        role(
            MAINTAINER,
            "pulls, pushes, deletes, has scanned and copied, makes projects",
            [policy([PROJECTS.into()], &[Pull, Push, Delete, List, Read, Create, Update, Scan, Replicate])],
        ),
        role("developer", "pulls and pushes", [policy([PROJECTS.into()], &[Pull, Push, List, Read])]),
        role(GUEST, "pulls, and sees what there is", [policy([PROJECTS.into()], &[Pull, List, Read])]),
        role("limited-guest", "pulls what it knows the name of", [policy([PROJECTS.into()], &[Pull])]),
        role(
            "auditor",
            "reads settings, members and the trail; pulls nothing",
            [policy(["system/*".into(), PROJECTS.into()], &[List, Read])],
        ),
    ]
}

fn role(name: &str, description: &str, policies: impl Into<Vec<PolicyConfig>>) -> RoleConfig {
    RoleConfig { name: name.to_owned(), description: description.to_owned(), policies: policies.into() }
}

fn policy(resources: impl Into<Vec<String>>, actions: &[Action]) -> PolicyConfig {
    PolicyConfig { resources: resources.into(), actions: actions.to_vec(), effect: Effect::Allow }
}
