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
