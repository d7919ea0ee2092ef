//! What roles mean, rule by rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{access_of, named, with_roles};
use crate::{
    Access, Action, Actions, Caller, ConfigError, Delete, Identity, NewProject, Proof, Pull, Push, ReadOnly,
    Resource, RoleConfig, Scope, Target,
};

fn on(access: &Access, caller: &Caller, target: &str) -> Vec<&'static str> {
    let target: Target = target.parse().unwrap();
    access.granted(caller, &target.resource()).iter().map(Action::as_str).collect()
}

/// The roles of the mission, word for word.
fn mission() -> serde_json::Value {
    json!([
        { "name": "developer", "policies": [{ "resources": ["project/*"], "actions": ["pull", "push"] }] },
        { "name": "auditor", "policies": [{ "resources": ["system/*"], "actions": ["read"] }] },
    ])
}

#[test]
fn the_missions_roles_are_taken_as_they_stand() {
    let bindings = json!([
        { "role": "developer", "subjects": ["user:dev"] },
        { "role": "auditor", "subjects": ["user:aud"] },
    ]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), mission()));
    let dev = ["pull", "push", "create", "update", "sign"];
    for repository in ["project/a/repository/b", "project/a/repository/b/c/d", "project/a/repository/"] {
        assert_eq!(on(&access, &named("dev"), repository), dev, "{repository}");
        assert!(on(&access, &named("aud"), repository).is_empty());
    }
    assert_eq!(on(&access, &named("dev"), "project/a"), ["pull", "push"], "to push makes no project");
    assert!(on(&access, &named("dev"), "system/audit").is_empty());
    assert_eq!(on(&access, &named("aud"), "system/audit"), ["read"]);
    assert!(access.catalog(&named("dev")).is_err(), "list is an action of its own");
}

#[test]
fn a_deny_wins_over_every_role_and_over_openness() {
    let roles = json!([{ "name": "frozen", "policies": [
        { "resources": ["project/library/repository/base"], "actions": ["push", "delete"], "effect": "deny" },
        { "resources": ["project/secret"], "actions": ["pull", "list", "read"], "effect": "deny" },
    ]}]);
    let bindings = json!([
        { "role": "administrator", "subjects": ["user:root"] },
        { "role": "frozen", "subjects": ["authenticated"] },
    ]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), roles));
    let (root, base) = (named("root"), "library/base/os".parse().unwrap());
    assert!(access.permit::<Pull>(&root, &base).is_ok());
    let denied = access.permit::<Push>(&root, &base).unwrap_err().to_string();
    assert_eq!(
        denied,
        "user root may not push library/base/os: role frozen, bound to authenticated everywhere, by pattern \
         project/library/repository/base, denies push on project/library/repository/base/os; ask the administrator \
         to take that role away"
    );
    assert!(access.permit::<Delete>(&root, &base).is_err());
    assert!(access.permit::<Push>(&root, &"library/other".parse().unwrap()).is_ok());
    assert!(access.permit::<Pull>(&root, &"secret/plan".parse().unwrap()).is_err());
    assert!(access.permit::<Push>(&root, &"secret/plan".parse().unwrap()).is_ok());
}

#[test]
fn to_deny_administration_takes_that_alone() {
    let roles = json!([{ "name": "no-admin", "policies": [
        { "resources": ["**"], "actions": ["administer"], "effect": "deny" },
    ]}]);
    let bindings = json!([
        { "role": "administrator", "subjects": ["user:root"] },
        { "role": "no-admin", "subjects": ["user:root"] },
    ]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), roles));
    let held = on(&access, &named("root"), "project/a/repository/b");
    assert_eq!(held.len(), Action::ALL.len() - 1);
    assert!(!held.contains(&"administer"));
}

#[test]
fn groups_robots_and_jobs_hold_roles_by_their_names() {
    let bindings = json!([
        { "role": "developer", "subjects": ["group:dev"], "project": "library" },
        { "role": "guest", "subjects": ["robot$ci", "workload:ci:github/repo:org/app"] },
        { "role": "limited-guest", "subjects": ["authenticated"] },
    ]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    let dev = named("eve").with_groups(Arc::from([Arc::from("dev")]));
    assert!(on(&access, &dev, "project/library/repository/a").contains(&"push"));
    assert_eq!(on(&access, &dev, "project/other/repository/a"), ["pull"]);
    assert_eq!(on(&access, &named("dev"), "project/library/repository/a"), ["pull"], "a user is no group");
    let robot = Caller::new(Identity::Robot("robot+ci".into()), Proof::RobotSecret);
    assert_eq!(on(&access, &robot, "project/library/repository/a"), ["pull", "list", "read"]);
    let impostor = named("robot+ci");
    assert_eq!(on(&access, &impostor, "project/library/repository/a"), ["pull"], "a user is no robot");
    let job = Caller::new(Identity::Workload("ci:github/repo:org/app".into()), Proof::Federation);
    assert_eq!(on(&access, &job, "project/library/repository/a"), ["pull", "list", "read"]);
    let other = Caller::new(Identity::Workload("ci:github/repo:org/app2".into()), Proof::Federation);
    assert!(on(&access, &other, "project/library/repository/a").is_empty(), "no user logged in");
    assert!(on(&access, &Caller::anonymous(), "project/library/repository/a").is_empty());
}

#[test]
fn a_token_narrows_and_never_widens() {
    let bindings = json!([{ "role": "maintainer", "subjects": ["user:ann"], "project": "library" }]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    let (nginx, redis) = ("library/nginx".parse().unwrap(), "library/redis".parse().unwrap());
    let within = |actions: &[Action], name: &berth_oci::RepositoryName| {
        let repositories = BTreeMap::from([(name.clone(), actions.iter().copied().collect::<Actions>())]);
        named("ann").within(Arc::new(Scope { repositories, catalog: false }))
    };
    let push = within(&[Action::Pull, Action::Push], &nginx);
    let permit = access.permit::<Push>(&push, &nginx).unwrap();
    assert!(permit.granted().has(Action::Create) && permit.granted().has(Action::Update));
    assert!(!permit.granted().has(Action::Delete), "the token was not made for that");
    assert_eq!(permit.new_project(), NewProject::Granted);
    assert!(access.permit::<Pull>(&push, &redis).is_err(), "one repository's token never serves another");
    assert!(access.permit::<Delete>(&push, &nginx).is_err(), "nor one action's another");
    let denied = access.permit::<Delete>(&push, &nginx).unwrap_err().to_string();
    assert!(
        denied.contains("the token was not made for delete on project/library/repository/nginx"),
        "{denied}"
    );
    let pull = within(&[Action::Pull], &nginx);
    assert!(access.permit::<Push>(&pull, &nginx).is_err());
    let elsewhere = "other/app".parse().unwrap();
    let greedy = within(&Action::ALL, &elsewhere);
    assert!(access.permit::<Pull>(&greedy, &elsewhere).is_err(), "a token grants nothing");
    assert!(access.catalog(&push).is_err());
    assert!(access.require(&greedy, Action::Administer, Resource::Project("library")).is_err());
}

#[test]
fn a_list_shows_what_a_role_lets_see() {
    let roles = json!([{ "name": "lister", "policies": [
        { "resources": ["project/library/repository/pub*"], "actions": ["list"] }] }]);
    let bindings = json!([{ "role": "lister", "subjects": ["user:ann"] }]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), roles));
    let permit = access.catalog(&named("ann")).unwrap();
    assert!(permit.allows(&"library/public/app".parse().unwrap()));
    assert!(!permit.allows(&"library/secret".parse().unwrap()));
    assert!(access.catalog(&named("bob")).is_err());
}

#[test]
fn answers_about_missing_and_hidden_projects_are_the_same() {
    let bindings = json!([{ "role": "developer", "subjects": ["user:ann"], "project": "hidden" }]);
    let access = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    let text = |project: &str| {
        let asked = access.require(&named("bob"), Action::Read, Resource::Project(project));
        let pulled = access.permit::<Pull>(&named("bob"), &format!("{project}/a").parse().unwrap());
        format!("{} {}", asked.unwrap_err(), pulled.unwrap_err()).replace(project, "X")
    };
    assert_eq!(text("hidden"), text("nowhere"));
}

#[test]
fn whether_a_push_may_make_its_project_is_a_right_and_a_switch() {
    let bindings = json!([
        { "role": "maintainer", "subjects": ["user:mia"] },
        { "role": "developer", "subjects": ["user:dan"] },
        { "role": "maintainer", "subjects": ["user:max"], "project": "new" },
    ]);
    let may = |access: &Access, name: &str, repository: &str| {
        access.permit::<Push>(&named(name), &repository.parse().unwrap()).unwrap().new_project()
    };
    let access = access_of(&with_roles(json!({ "bindings": bindings }), json!([])));
    assert_eq!(may(&access, "mia", "new/app"), NewProject::Granted);
    assert_eq!(may(&access, "dan", "new/app"), NewProject::NotGranted);
    assert_eq!(may(&access, "max", "new/app"), NewProject::Granted);
    let off = json!({ "bindings": bindings, "create_projects": false });
    assert_eq!(may(&access_of(&with_roles(off, json!([]))), "mia", "new/app"), NewProject::SwitchedOff);
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start() {
    let refused = |access: serde_json::Value, roles: serde_json::Value| {
        Access::new(&with_roles(access, roles), &ReadOnly::default()).unwrap_err()
    };
    let nothing = json!({});
    let role = |name: &str, resource: &str| json!([{ "name": name, "policies": [{ "resources": [resource], "actions": ["pull"] }] }]);
    let error = refused(nothing.clone(), role("dev", "projects/*")).to_string();
    assert!(error.contains("\"dev\"") && error.contains("\"projects/*\""), "{error}");
    assert!(matches!(refused(nothing.clone(), role("a b", "project/*")), ConfigError::Role { .. }));
    let twice = json!([{ "name": "x", "policies": [] }, { "name": "x", "policies": [] }]);
    assert!(matches!(refused(nothing.clone(), twice), ConfigError::DuplicateRole(_)));
    let empty = json!([{ "name": "x", "policies": [{ "resources": [], "actions": ["pull"] }] }]);
    assert!(refused(nothing, empty).to_string().contains("policy 1"));
    let unknown = json!({ "bindings": [{ "role": "developper", "subjects": ["user:a"] }] });
    let error = refused(unknown, json!([])).to_string();
    assert!(error.contains("developper") && error.contains("`berth bind add`"), "{error}");
    let project = json!({ "bindings": [{ "role": "guest", "subjects": ["user:a"], "project": "a/b" }] });
    assert!(matches!(refused(project, json!([])), ConfigError::Project { .. }));
    for subject in ["alice", "user:", "user:a:b", "user:robot+x", "robot:x", "anonymous:x", "group:\u{7}"] {
        let binding = json!({ "bindings": [{ "role": "guest", "subjects": [subject] }] });
        let error = serde_json::from_value::<crate::Config>(binding).unwrap_err().to_string();
        assert!(error.contains("names nobody"), "{subject}: {error}");
    }
}

proptest! {
    /// Whatever roles say, what is granted is what some role allows and none denies, in its project.
    #[test]
    fn a_grant_rests_on_an_allow_and_meets_no_deny(
        roles in prop::collection::vec(role(), 1..5),
        bound in prop::collection::vec((0_usize..5, any::<bool>()), 1..6),
        repository in "(lib|app)/[ab]{1,2}(/[ab])?",
    ) {
        let named_roles: Vec<RoleConfig> =
            roles.into_iter().enumerate().map(|(n, role)| RoleConfig { name: format!("r{n}"), ..role }).collect();
        let bindings: Vec<_> = bound
            .iter()
            .map(|(n, inside)| {
                let role = &named_roles[n % named_roles.len()];
                let mut binding = json!({ "role": role.name, "subjects": ["user:ann"] });
                if *inside {
                    binding["project"] = "lib".into();
                }
                binding
            })
            .collect();
        let mut config = with_roles(json!({ "bindings": bindings }), json!([]));
        config.roles.clone_from(&named_roles);
        let access = access_of(&config);
        let name: berth_oci::RepositoryName = repository.parse().unwrap();
        let resource = Resource::Repository(&name);
        let granted = access.granted(&named("ann"), &resource);
        let counts: Vec<&RoleConfig> = bound
            .iter()
            .filter(|(_, inside)| !inside || repository.starts_with("lib/"))
            .map(|(n, _)| &named_roles[n % named_roles.len()])
            .collect();
        for action in [Action::Pull, Action::Create, Action::Delete, Action::Administer] {
            let says = |effect| counts.iter().any(|role| says(role, effect, action, &resource.to_string()));
            let expected = says(crate::Effect::Allow) && !says(crate::Effect::Deny);
            prop_assert_eq!(granted.has(action), expected, "{} {}", action, resource);
            prop_assert_eq!(access.decide(&named("ann"), action, &resource).is_allowed(), expected);
        }
    }
}

proptest! {
    /// With a token nobody may do more than without, nor anything that the token was not made for.
    #[test]
    fn a_token_takes_away_and_adds_nothing(
        role in role(),
        actions in prop::collection::vec(prop::sample::select(Action::ALL.to_vec()), 0..4),
        elsewhere in any::<bool>(),
    ) {
        let role = RoleConfig { name: "r".to_owned(), ..role };
        let bindings = json!([{ "role": "r", "subjects": ["user:ann"] }]);
        let mut config = with_roles(json!({ "bindings": bindings }), json!([]));
        config.roles.push(role);
        let access = access_of(&config);
        let (name, other) = ("lib/b".parse().unwrap(), "lib/a".parse().unwrap());
        let made_for = if elsewhere { &other } else { &name };
        let repositories = BTreeMap::from([(berth_oci::RepositoryName::clone(made_for), actions.iter().copied().collect())]);
        let token = named("ann").within(Arc::new(Scope { repositories, catalog: false }));
        let resource = Resource::Repository(&name);
        let (with, without) = (access.granted(&token, &resource), access.granted(&named("ann"), &resource));
        prop_assert!(with.without(without).is_empty());
        let pushes = [Action::Create, Action::Update, Action::Sign];
        for action in with.iter() {
            let named = actions.contains(&action) || (pushes.contains(&action) && actions.contains(&Action::Push));
            prop_assert!(named && !elsewhere, "{} by a token for {:?}", action, actions);
        }
        prop_assert!(access.granted(&token, &Resource::Project("lib")).is_empty());
    }
}

/// The rule in its plainest words.
fn says(role: &RoleConfig, effect: crate::Effect, action: Action, path: &str) -> bool {
    role.policies.iter().filter(|policy| policy.effect == effect).any(|policy| {
        let covers = policy.resources.iter().any(|pattern| match pattern.as_str() {
            "**" | "project/*" => true,
            exact => path == exact || path.starts_with(&format!("{exact}/")),
        });
        let has = |action| policy.actions.contains(&action);
        let pushes = action == Action::Create && has(Action::Push);
        let administers = effect == crate::Effect::Allow && has(Action::Administer);
        covers && (has(action) || pushes || administers)
    })
}

fn role() -> impl Strategy<Value = RoleConfig> {
    let pattern = prop_oneof![
        Just("**"),
        Just("project/*"),
        Just("project/lib"),
        Just("project/app/repository/a"),
        Just("project/lib/repository/b"),
        Just("system/audit"),
    ];
    let action = prop::sample::select(Action::ALL.to_vec());
    let policy = (prop::collection::vec(pattern, 1..3), prop::collection::vec(action, 1..3), any::<bool>());
    prop::collection::vec(policy, 0..4).prop_map(|policies| RoleConfig {
        name: String::new(),
        description: String::new(),
        policies: policies
            .into_iter()
            .map(|(resources, actions, denies)| crate::PolicyConfig {
                resources: resources.into_iter().map(ToOwned::to_owned).collect(),
                actions,
                effect: if denies { crate::Effect::Deny } else { crate::Effect::Allow },
            })
            .collect(),
    })
}
