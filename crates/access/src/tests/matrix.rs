//! Every built-in role against every action, on every kind of resource, in a private project and in a public one.

use serde_json::json;

use super::{access_of, named, with_roles};
use crate::snapshot::{Snapshot, Stored};
use crate::{Action, Caller, Resource};

const RESOURCES: [&str; 9] = [
    "project/library/repository/nginx",
    "project/library",
    "system/configuration",
    "system/jobs",
    "system/users",
    "system/access",
    "system/projects",
    "system/audit",
    "system/anything",
];

const ALL: &str = "pull push delete list read create update sign scan replicate administer";

/// What each role may do to each of [`RESOURCES`], in its order.
const MATRIX: [(&str, [&str; 9]); 11] = [
    ("administrator", [ALL; 9]),
    (
        "system-administrator",
        ["", "delete list read create update", ALL, ALL, ALL, "", "delete list read create update", "", ""],
    ),
    ("security-administrator", ["", "list read", "", "", "list read", ALL, "list read", "", ""]),
    ("audit-administrator", ["", "", "", "", "", "", "", ALL, ""]),
    ("project-admin", [ALL, ALL, "", "", "", "", "", "", ""]),
    (
        "maintainer",
        [
            "pull push delete list read create update sign scan replicate",
            "pull push delete list read create update scan replicate",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
        ],
    ),
    (
        "developer",
        ["pull push list read create update sign", "pull push list read", "", "", "", "", "", "", ""],
    ),
    ("guest", ["pull list read", "pull list read", "", "", "", "", "", "", ""]),
    ("limited-guest", ["pull", "pull", "", "", "", "", "", "", ""]),
    ("auditor", ["list read"; 9]),
    ("none", [""; 9]),
];

fn words(actions: crate::Actions) -> String {
    actions.iter().map(Action::as_str).collect::<Vec<_>>().join(" ")
}

fn sorted(words: &str) -> Vec<&str> {
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.sort_unstable();
    words
}

fn snapshot(public: bool) -> Snapshot {
    let bindings: Vec<_> = MATRIX
        .iter()
        .filter(|(role, _)| *role != "none")
        .map(|(role, _)| json!({ "role": role, "subjects": [format!("user:{role}")] }))
        .collect();
    let config = with_roles(json!({ "bindings": bindings }), json!([]));
    let rules = std::sync::Arc::new(config.validate().unwrap());
    let mut stored = Stored::nothing(jiff::Timestamp::UNIX_EPOCH);
    stored.public = if public { vec!["library".to_owned()] } else { Vec::new() };
    Snapshot::new(&rules, stored)
}

#[test]
fn the_matrix_of_roles_actions_and_resources() {
    for public in [false, true] {
        let snapshot = snapshot(public);
        for (role, expected) in MATRIX {
            let caller = named(role);
            for (resource, expected) in RESOURCES.iter().zip(expected) {
                let target: crate::Target = resource.parse().unwrap();
                let granted = snapshot.granted(&caller, &target.resource(), jiff::Timestamp::UNIX_EPOCH);
                let open = match (public, *resource) {
                    (true, "project/library/repository/nginx") => "pull list read",
                    (true, "project/library") => "list",
                    _ => "",
                };
                let mut all = sorted(expected);
                all.extend(sorted(open));
                all.sort_unstable();
                all.dedup();
                assert_eq!(sorted(&words(granted)), all, "{role} on {resource}, public: {public}");
                for action in Action::ALL {
                    let decision =
                        snapshot.decide(&caller, action, &target.resource(), jiff::Timestamp::UNIX_EPOCH);
                    let allowed = all.contains(&action.as_str());
                    assert_eq!(decision.is_allowed(), allowed, "{role} {action} {resource}: {decision}");
                }
            }
        }
    }
}

#[test]
fn a_role_bound_in_a_project_reaches_nothing_outside() {
    for (role, _) in MATRIX.iter().filter(|(role, _)| *role != "none") {
        let binding = json!([{ "role": role, "subjects": ["user:ann"], "project": "library" }]);
        let access = access_of(&with_roles(json!({ "bindings": binding }), json!([])));
        let ann = named("ann");
        for outside in [
            "system/users",
            "system/access",
            "system/audit",
            "project/other",
            "project/library2/repository/a",
        ] {
            let target: crate::Target = outside.parse().unwrap();
            assert!(access.granted(&ann, &target.resource()).is_empty(), "{role} on {outside}");
        }
        assert!(access.granted(&Caller::anonymous(), &Resource::Project("library")).is_empty());
    }
}

#[test]
fn the_oldest_words_mean_roles() {
    use crate::{Anonymous, UserAccess};
    let users = vec![
        super::user("reader", UserAccess::Read),
        super::user("writer", UserAccess::Write),
        super::user("admin", UserAccess::Admin),
    ];
    let access = super::access(Anonymous::None, users);
    let nginx: crate::Target = "project/library/repository/nginx".parse().unwrap();
    let on = |name: &str| words(access.granted(&named(name), &nginx.resource()));
    assert_eq!(on("reader"), "pull list read");
    assert_eq!(on("writer"), "pull push delete list read create update sign scan replicate");
    assert_eq!(on("admin"), ALL);
    let project = Resource::Project("new");
    assert!(access.granted(&named("writer"), &project).has(Action::Create), "write makes projects, as ever");
    assert!(!access.granted(&named("reader"), &project).has(Action::Create));
    let open = super::access(Anonymous::Write, vec![]);
    assert!(open.granted(&Caller::anonymous(), &project).has(Action::Create), "an open registry is open");
}

#[test]
fn the_matrix_has_every_role_that_is_built_in() {
    let rules = crate::Config::default().validate().unwrap();
    let known: std::collections::BTreeSet<_> = rules.roles().iter().map(|role| role.name.as_str()).collect();
    assert_eq!(known.len(), 10);
    assert_eq!(known, MATRIX.iter().map(|(role, _)| *role).filter(|role| *role != "none").collect());
}

/// Both roles of the mission on every kind of resource, word for word, in a private project and in a public one.
#[test]
fn the_matrix_of_the_missions_roles() {
    let mission = json!([
        { "name": "developer", "policies": [{ "resources": ["project/*"], "actions": ["pull", "push"] }] },
        { "name": "auditor", "policies": [{ "resources": ["system/*"], "actions": ["read"] }] },
    ]);
    let bindings = json!([
        { "role": "developer", "subjects": ["user:dev"] },
        { "role": "auditor", "subjects": ["user:aud"] },
    ]);
    let rules = std::sync::Arc::new(with_roles(json!({ "bindings": bindings }), mission).validate().unwrap());
    for public in [false, true] {
        let mut stored = Stored::nothing(jiff::Timestamp::UNIX_EPOCH);
        stored.public = if public { vec!["library".to_owned()] } else { Vec::new() };
        let snapshot = Snapshot::new(&rules, stored);
        for resource in RESOURCES {
            let target: crate::Target = resource.parse().unwrap();
            let (mine, open) = match resource {
                "project/library/repository/nginx" => {
                    (["pull push create update sign", ""], "pull list read")
                }
                // To read projects as such is a part of the system.
                "project/library" => (["pull push", "read"], "list"),
                _ => (["", "read"], ""),
            };
            for (name, mine) in ["dev", "aud"].into_iter().zip(mine) {
                let granted = snapshot.granted(&named(name), &target.resource(), jiff::Timestamp::UNIX_EPOCH);
                let mut all = [sorted(mine), if public { sorted(open) } else { Vec::new() }].concat();
                all.sort_unstable();
                all.dedup();
                assert_eq!(sorted(&words(granted)), all, "{name} on {resource}, public: {public}");
            }
        }
    }
}
