//! Three duties in three hands.

use std::sync::Arc;

use serde_json::json;

use super::{access_of, named, user, with_roles};
use crate::{Access, Action, ConfigError, ReadOnly, Reason, Resource, Subject, UserAccess};

#[expect(clippy::needless_pass_by_value, reason = "it reads best with the value in place")]
fn apart(bindings: serde_json::Value, roles: serde_json::Value) -> crate::Config {
    with_roles(json!({ "separation_of_duties": true, "bindings": bindings }), roles)
}

fn refused(config: &crate::Config) -> String {
    match Access::new(config, &ReadOnly::default()) {
        Err(ConfigError::Duties(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_one_of_the_three_does_anothers_work() {
    let bindings = json!([
        { "role": "system-administrator", "subjects": ["user:sys"] },
        { "role": "security-administrator", "subjects": ["user:sec"] },
        { "role": "audit-administrator", "subjects": ["user:aud"] },
    ]);
    let access = access_of(&apart(bindings, json!([])));
    let parts = [("sys", "configuration"), ("sec", "access"), ("aud", "audit")];
    for (name, own) in parts {
        for (_, part) in parts {
            let granted = access.granted(&named(name), &Resource::System(part));
            assert_eq!(granted.has(Action::Administer), part == own, "{name} on {part}");
            assert_eq!(granted.has(Action::Update), part == own, "{name} on {part}");
        }
        let image = "library/nginx".parse().unwrap();
        let contents = access.granted(&named(name), &Resource::Repository(&image));
        assert!(contents.is_empty(), "{name} touches contents");
    }
}

#[test]
fn two_duties_in_one_hand_or_one_role_are_refused_at_the_start() {
    let two = json!([
        { "role": "system-administrator", "subjects": ["user:ann", "user:bob"] },
        { "role": "audit-administrator", "subjects": ["user:bob"] },
    ]);
    let text = refused(&apart(two.clone(), json!([])));
    assert!(text.contains("user:bob") && text.contains("system and audit"), "{text}");
    let config = with_roles(json!({ "bindings": two }), json!([]));
    assert!(Access::new(&config, &ReadOnly::default()).is_ok(), "only where it is asked for");
    let text = refused(&apart(json!([{ "role": "administrator", "subjects": ["group:ops"] }]), json!([])));
    assert!(text.contains("group:ops") && text.contains("system and security and audit"), "{text}");
    let mut old = apart(json!([]), json!([]));
    old.users = vec![user("root", UserAccess::Admin)];
    assert!(refused(&old).contains("user:root"));
    // By another name, too.
    let mighty = json!([{ "name": "helper", "policies": [
        { "resources": ["system/*"], "actions": ["administer"] } ] }]);
    assert!(refused(&apart(json!([]), mighty)).contains("role helper"));
    // Bound in a project it has no duty.
    let inside = json!([{ "role": "administrator", "subjects": ["user:ann"], "project": "library" }]);
    assert!(Access::new(&apart(inside, json!([])), &ReadOnly::default()).is_ok());
    // Who reads all keeps nothing.
    let reads = json!([{ "role": "auditor", "subjects": ["user:ann"] },
                       { "role": "system-administrator", "subjects": ["user:ann"] }]);
    assert!(Access::new(&apart(reads, json!([])), &ReadOnly::default()).is_ok());
}

#[test]
fn who_comes_to_two_duties_by_a_group_has_neither() {
    let bindings = json!([
        { "role": "system-administrator", "subjects": ["user:ann"] },
        { "role": "security-administrator", "subjects": ["group:sec"] },
        { "role": "developer", "subjects": ["user:ann"] },
    ]);
    let access = access_of(&apart(bindings, json!([])));
    let (access_part, configuration) = (Resource::System("access"), Resource::System("configuration"));
    assert!(access.granted(&named("ann"), &configuration).has(Action::Administer));
    let both = named("ann").with_groups(Arc::from([Arc::from("sec")]));
    assert!(access.granted(&both, &configuration).is_empty());
    assert!(access.granted(&both, &access_part).is_empty());
    let image = "library/nginx".parse().unwrap();
    assert!(access.granted(&both, &Resource::Repository(&image)).has(Action::Push), "other roles count on");
}

#[test]
fn nobody_changes_its_own_rights_where_duties_are_apart() {
    let bindings = json!([
        { "role": "security-administrator", "subjects": ["user:sec", "group:secs"] },
        { "role": "project-admin", "subjects": ["user:pat"], "project": "library" },
    ]);
    let access = access_of(&apart(bindings.clone(), json!([])));
    let subject = |text: &str| text.parse::<Subject>().unwrap();
    let asks = |access: &Access, caller: &crate::Caller, project, of: &str| {
        access.may_grant(caller, project, Some(&subject(of))).map(drop).map_err(|denied| denied.reason())
    };
    let sec = named("sec");
    assert_eq!(asks(&access, &sec, None, "user:ann"), Ok(()));
    assert_eq!(asks(&access, &sec, Some("library"), "user:ann"), Ok(()));
    for own in ["user:sec", "authenticated", "anonymous"] {
        assert_eq!(asks(&access, &sec, None, own), Err(Reason::OwnRights), "{own}");
    }
    let member = named("eve").with_groups(Arc::from([Arc::from("secs")]));
    assert_eq!(asks(&access, &member, None, "group:secs"), Err(Reason::OwnRights));
    let pat = named("pat");
    assert_eq!(asks(&access, &pat, Some("library"), "user:ann"), Ok(()));
    assert_eq!(asks(&access, &pat, Some("other"), "user:ann"), Err(Reason::Forbidden));
    assert_eq!(asks(&access, &pat, None, "user:ann"), Err(Reason::Forbidden));
    assert_eq!(asks(&access, &named("ann"), Some("library"), "user:ann"), Err(Reason::Forbidden));
    let together = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    assert_eq!(
        asks(&together, &sec, None, "user:sec"),
        Ok(()),
        "without the switch it stands above all roles"
    );
}
