//! No sequence of grants that were allowed lets anybody exceed its roles.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{access_of, named, with_roles};
use crate::{Access, Actions, Resource, Subject, Target};

const USERS: [&str; 4] = ["ann", "bob", "eve", "pat"];
/// Roles of which none may say who else may do what.
const HARMLESS: [&str; 6] =
    ["guest", "limited-guest", "developer", "maintainer", "auditor", "audit-administrator"];
const ROLES: [&str; 5] = ["administrator", "project-admin", "security-administrator", "developer", "own"];
const OUTSIDE: [&str; 6] = [
    "project/b",
    "project/b/repository/x",
    "project/a2/repository/x",
    "system/access",
    "system/users",
    "system/audit",
];

fn build(bindings: &[Value]) -> Access {
    let own = json!([{ "name": "own", "policies": [
        { "resources": ["system/*", "project/b"], "actions": ["administer"] } ] }]);
    access_of(&with_roles(json!({ "bindings": bindings }), own))
}

fn binding(role: &str, user: &str, project: Option<&str>) -> Value {
    let mut binding = json!({ "role": role, "subjects": [format!("user:{user}")] });
    if let Some(project) = project {
        binding["project"] = project.into();
    }
    binding
}

fn granted(access: &Access) -> Vec<(&'static str, &'static str, Actions)> {
    let all = USERS.into_iter().flat_map(|user| OUTSIDE.into_iter().map(move |target| (user, target)));
    all.map(|(user, text)| {
        let target: Target = text.parse().unwrap();
        (user, text, access.granted(&named(user), &target.resource()))
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_sequence_of_allowed_grants_exceeds_a_subjects_roles(
        start in prop::collection::vec((0..HARMLESS.len(), 0..USERS.len(), 0_usize..3), 0..6),
        asked in prop::collection::vec((0..USERS.len(), 0..ROLES.len(), 0..USERS.len(), 0_usize..3), 1..14),
    ) {
        let place = |n: usize| [None, Some("a"), Some("b")][n];
        // One who administers a project, many who administer nothing.
        let mut bindings = vec![binding("project-admin", "pat", Some("a"))];
        bindings.extend(start.iter().map(|(role, user, at)| binding(HARMLESS[*role], USERS[*user], place(*at))));
        let before = granted(&build(&bindings));
        let mut administers_a = vec!["pat"];
        for (actor, role, whom, at) in asked {
            let (actor, whom) = (USERS[actor], USERS[whom]);
            let subject: Subject = format!("user:{whom}").parse().unwrap();
            let allowed = build(&bindings).may_grant(&named(actor), place(at), Some(&subject)).is_ok();
            prop_assert_eq!(allowed, place(at) == Some("a") && administers_a.contains(&actor));
            if allowed {
                bindings.push(binding(ROLES[role], whom, place(at)));
                if ["administrator", "project-admin"].contains(&ROLES[role]) {
                    administers_a.push(whom);
                }
            }
        }
        let after = build(&bindings);
        prop_assert_eq!(before, granted(&after), "outside of the project nothing has changed");
        for user in USERS {
            let administers = after.granted(&named(user), &Resource::Project("a")).has(crate::Action::Administer);
            prop_assert_eq!(administers, administers_a.contains(&user));
        }
    }
}
