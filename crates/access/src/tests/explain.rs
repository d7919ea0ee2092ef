//! Every answer says why.

use serde_json::json;

use super::{access_of, named, with_roles};
use crate::{Action, Outcome, Target};

#[test]
fn an_answer_names_role_binding_and_pattern_or_what_is_missing() {
    let bindings = json!([
        { "role": "developer", "subjects": ["user:ann"], "project": "library" },
        { "role": "system-administrator", "subjects": ["user:sue"] },
    ]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    let why = |name: &str, action, target: &str| {
        let target: Target = target.parse().unwrap();
        access.decide(&named(name), action, &target.resource()).to_string()
    };
    assert_eq!(
        why("ann", Action::Push, "project/library/repository/a"),
        "role developer, bound to user:ann in project library, by pattern project/*, allows push on \
         project/library/repository/a"
    );
    assert_eq!(
        why("ann", Action::Delete, "project/library/repository/a"),
        "no role held there allows delete on project/library/repository/a"
    );
    assert_eq!(
        why("sue", Action::Create, "project/new"),
        "role system-administrator, bound to user:sue everywhere, by pattern system/projects, allows create on project/new"
    );
}

#[test]
fn the_reason_is_of_the_action_that_decides() {
    let roles = json!([{ "name": "signer", "policies": [
        { "resources": ["project/*"], "actions": ["sign"] },
        { "resources": ["project/a/repository/x"], "actions": ["push"], "effect": "deny" } ] }]);
    let bindings = json!([{ "role": "signer", "subjects": ["user:ann"] }]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), roles));
    let outcome = |target: &str| {
        let target: Target = target.parse().unwrap();
        access.decide(&named("ann"), Action::Push, &target.resource()).outcome
    };
    assert!(matches!(outcome("project/a/repository/y"), Outcome::Allowed(cause) if &*cause.role == "signer"));
    assert!(matches!(outcome("project/a/repository/x"), Outcome::Denied(_)));
}

#[test]
fn resources_are_read_as_they_are_printed() {
    for text in ["system/users", "project/library", "project/a/repository/b/c", "project/a/repository/"] {
        assert_eq!(text.parse::<Target>().unwrap().resource().to_string(), text);
    }
    assert_eq!(
        "project/a/repository".parse::<Target>().unwrap().resource().to_string(),
        "project/a/repository/"
    );
    for text in [
        "",
        "system",
        "system/",
        "system/a/b",
        "project/",
        "project/A",
        "project/a/b",
        "a/b",
        "project/a/repository/../b",
    ] {
        assert!(text.parse::<Target>().is_err(), "{text:?}");
    }
}
