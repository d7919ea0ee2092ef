//! What the catalog holds, beside the configuration.

use std::sync::Arc;

use berth_catalog::binding::NewBinding;
use berth_catalog::event::Author;
use berth_catalog::{Catalog, Clock, standing};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::{named, with_roles};
use crate::admin::{self, AdminError, ProjectChange};
use crate::snapshot::{Snapshot, Stored};
use crate::{
    Access, Action, Caller, Gone, Identity, NewProject, Outcome, Proof, Pull, Push, ReadOnly, Resource,
    RoleConfig, Rules,
};

struct Fixture {
    access: Access,
    catalog: Catalog,
    _dir: TempDir,
}

impl Fixture {
    async fn new(config: &crate::Config) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let catalog = Catalog::open(&dir.path().join("catalog.db"), clock).unwrap();
        let access = Access::open(config, &ReadOnly::default(), &catalog).await.unwrap();
        Self { access, catalog, _dir: dir }
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl AsyncFn(&mut berth_catalog::Tx, &Rules, &Author, Timestamp) -> admin::Result<T>
        + Send
        + 'static,
    ) -> admin::Result<T> {
        let (rules, now) = (self.access.rules(), self.catalog.clock().now());
        let done =
            self.catalog.write(async move |tx| change(tx, &rules, &Author::from("test:me"), now).await).await;
        self.access.refresh().await.unwrap();
        done
    }

    async fn bind(&self, subject: &str, role: &str, project: &str) -> admin::Result<bool> {
        let what = what(subject, role, project);
        self.change(async move |tx, rules, author, now| admin::bind(tx, rules, &what, author, now).await)
            .await
    }

    async fn set_role(&self, role: serde_json::Value) -> admin::Result<()> {
        let role: RoleConfig = serde_json::from_value(role).unwrap();
        self.change(async move |tx, rules, author, now| admin::set_role(tx, rules, &role, author, now).await)
            .await
    }

    async fn create(&self, project: &'static str, public: bool) -> admin::Result<()> {
        self.change(async move |tx, _, author, now| {
            admin::create_project(tx, project, public, author, now).await
        })
        .await
    }

    async fn events(&self) -> Vec<String> {
        let events = self.catalog.read(async |r| berth_catalog::event::list(r, 0, 100).await).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    fn pulls(&self, caller: &Caller, repository: &str) -> bool {
        self.access.permit::<Pull>(caller, &repository.parse().unwrap()).is_ok()
    }
}

fn what(subject: &str, role: &str, project: &str) -> NewBinding {
    let subject: crate::Subject = subject.parse().unwrap();
    NewBinding {
        kind: subject.kind(),
        subject: subject.name().to_owned(),
        role: role.to_owned(),
        project: project.to_owned(),
    }
}

#[tokio::test]
async fn everybody_is_given_what_governs_only_knowingly() {
    let fixture = Fixture::new(&crate::Config::default()).await;
    fixture.create("library", false).await.unwrap();
    let makes = json!({ "resources": ["system/users"], "actions": ["create"] });
    fixture.set_role(json!({ "name": "hirer", "policies": [makes] })).await.unwrap();
    let refused =
        [("administrator", ""), ("system-administrator", ""), ("project-admin", "library"), ("hirer", "")];
    for (role, project) in refused {
        for everybody in ["anonymous", "authenticated"] {
            let bound = fixture.bind(everybody, role, project).await;
            assert!(matches!(bound, Err(AdminError::Everybody { .. })), "{everybody} {role}: {bound:?}");
        }
        assert!(fixture.bind("user:ann", role, project).await.unwrap());
    }
    for role in ["guest", "maintainer", "auditor"] {
        assert!(fixture.bind("anonymous", role, "").await.unwrap(), "{role}");
    }
    let meant = what("anonymous", "administrator", "");
    let bound = fixture.change(async move |tx, rules, author, now| {
        admin::bind_knowingly(tx, rules, &meant, author, now).await
    });
    assert!(bound.await.unwrap());
}

#[tokio::test]
async fn what_is_bound_counts_and_what_is_taken_away_does_not() {
    let fixture = Fixture::new(&crate::Config::default()).await;
    let ann = named("ann");
    assert!(!fixture.access.has_users() && !fixture.pulls(&ann, "library/a"));
    fixture.create("library", false).await.unwrap();
    assert!(fixture.bind("user:ann", "developer", "library").await.unwrap());
    assert!(!fixture.bind("user:ann", "developer", "library").await.unwrap(), "it was so already");
    assert!(fixture.pulls(&ann, "library/a") && !fixture.pulls(&ann, "other/a"));
    fixture
        .set_role(json!({ "name": "frozen", "policies": [
            { "resources": ["project/library/repository/a"], "actions": ["pull"], "effect": "deny" } ] }))
        .await
        .unwrap();
    assert!(fixture.bind("authenticated", "frozen", "").await.unwrap());
    assert!(!fixture.pulls(&ann, "library/a") && fixture.pulls(&ann, "library/b"));
    let gone = what("authenticated", "frozen", "");
    let deleted = fixture
        .change(async |tx, rules, author, now| admin::delete_role(tx, rules, "frozen", author, now).await);
    assert!(
        matches!(deleted.await, Err(AdminError::RoleInUse { subject, .. }) if subject == "authenticated")
    );
    assert!(
        fixture
            .change(async move |tx, _, author, now| admin::unbind(tx, &gone, author, now).await)
            .await
            .unwrap()
    );
    assert!(fixture.pulls(&ann, "library/a"));
    fixture
        .change(async |tx, rules, author, now| admin::delete_role(tx, rules, "frozen", author, now).await)
        .await
        .unwrap();
    fixture
        .change(async |tx, _, author, now| admin::delete_project(tx, "library", author, now).await)
        .await
        .unwrap();
    assert!(!fixture.pulls(&ann, "library/a"), "the project's bindings went with it");
    let expected = [
        "project_created",
        "binding_added",
        "role_changed",
        "binding_added",
        "binding_removed",
        "role_deleted",
        "binding_removed",
        "project_deleted",
    ];
    assert_eq!(fixture.events().await, expected);
}

#[tokio::test]
async fn a_public_project_is_open_to_pulls_alone() {
    let fixture = Fixture::new(&crate::Config::default()).await;
    let anybody = Caller::anonymous();
    fixture.create("open", true).await.unwrap();
    assert!(fixture.pulls(&anybody, "open/a") && !fixture.pulls(&anybody, "opened/a"));
    assert!(fixture.access.permit::<Push>(&anybody, &"open/a".parse().unwrap()).is_err());
    let list = fixture.access.catalog(&anybody).unwrap();
    assert!(list.allows(&"open/a".parse().unwrap()) && !list.allows(&"closed/a".parse().unwrap()));
    let repository = "open/a".parse().unwrap();
    let decision = fixture.access.decide(&anybody, Action::Pull, &Resource::Repository(&repository));
    assert_eq!(decision.outcome, Outcome::Public);
    let close = ProjectChange { public: Some(false), settings: Some(json!({ "keep": 3 })) };
    fixture
        .change(async move |tx, _, author, now| admin::change_project(tx, "open", &close, author, now).await)
        .await
        .unwrap();
    assert!(!fixture.pulls(&anybody, "open/a"));
    assert!(fixture.access.catalog(&anybody).is_err());
}

#[tokio::test]
async fn what_can_not_be_is_refused_with_advice() {
    let fixture = Fixture::new(&crate::Config::default()).await;
    let text = |error: AdminError| error.to_string();
    assert!(text(fixture.bind("user:a", "nobody", "").await.unwrap_err()).contains("`berth role list`"));
    assert!(
        text(fixture.bind("user:a", "guest", "none").await.unwrap_err()).contains("`berth project create`")
    );
    assert!(matches!(fixture.bind("user:a", "guest", "a/b").await, Err(AdminError::ProjectName(_))));
    fixture.create("library", false).await.unwrap();
    assert!(matches!(fixture.create("library", true).await, Err(AdminError::ProjectExists(_))));
    assert!(matches!(fixture.create("Library", true).await, Err(AdminError::ProjectName(_))));
    let fixed = fixture.set_role(json!({ "name": "guest", "policies": [] })).await;
    assert!(matches!(fixed, Err(AdminError::FixedRole(_))));
    let wrong = json!({ "name": "x", "policies": [{ "resources": ["a/*"], "actions": ["pull"] }] });
    assert!(matches!(fixture.set_role(wrong).await, Err(AdminError::Role { .. })));
    let settings = ProjectChange { settings: Some(json!([])), ..Default::default() };
    let set = fixture.change(async move |tx, _, author, now| {
        admin::change_project(tx, "library", &settings, author, now).await
    });
    assert!(matches!(set.await, Err(AdminError::Settings)));
    let deleted =
        fixture.change(async |tx, _, author, now| admin::delete_project(tx, "none", author, now).await);
    assert!(matches!(deleted.await, Err(AdminError::UnknownProject(_))));
    assert_eq!(fixture.events().await, ["project_created"], "what was refused left nothing behind");
}

#[tokio::test]
async fn a_second_duty_is_refused_in_the_transaction() {
    let access = json!({ "separation_of_duties": true, "bindings": [
        { "role": "system-administrator", "subjects": ["user:ann"] } ] });
    let fixture = Fixture::new(&with_roles(access, json!([]))).await;
    let error = fixture.bind("user:ann", "security-administrator", "").await.unwrap_err();
    assert!(matches!(&error, AdminError::Duties(text) if text.contains("user:ann")), "{error}");
    assert!(fixture.bind("user:bob", "security-administrator", "").await.unwrap());
    assert!(matches!(fixture.bind("user:bob", "audit-administrator", "").await, Err(AdminError::Duties(_))));
    assert!(matches!(fixture.bind("user:eve", "administrator", "").await, Err(AdminError::Duties(_))));
    let both = json!({ "name": "both", "policies": [
        { "resources": ["system/audit", "system/access"], "actions": ["administer"] } ] });
    assert!(matches!(fixture.set_role(both).await, Err(AdminError::Duties(_))));
}

#[tokio::test]
async fn two_grants_at_once_give_no_two_duties() {
    let access = json!({ "separation_of_duties": true });
    let fixture = Fixture::new(&with_roles(access, json!([]))).await;
    let roles = ["system-administrator", "security-administrator", "audit-administrator"];
    let outcomes = tokio::join!(
        fixture.bind("user:ann", roles[0], ""),
        fixture.bind("user:ann", roles[1], ""),
        fixture.bind("user:ann", roles[2], ""),
    );
    let given = [outcomes.0, outcomes.1, outcomes.2].into_iter().flatten().count();
    assert_eq!(given, 1);
}

fn robot(name: &str, project: &str, policies: &str) -> standing::Robot {
    standing::Robot {
        name: name.to_owned(),
        project: project.to_owned(),
        policies: policies.to_owned(),
        expires_at: None,
        disabled_at: None,
        valid_after: Timestamp::UNIX_EPOCH,
    }
}

fn account(name: &str, groups: &str) -> standing::Account {
    standing::Account {
        name: name.to_owned(),
        source: berth_catalog::account::Source::Local,
        disabled_at: None,
        must_change: false,
        valid_after: Timestamp::UNIX_EPOCH,
        member_of: groups.to_owned(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn snapshot(config: &crate::Config, change: impl FnOnce(&mut Stored)) -> Snapshot {
    let mut stored = Stored::nothing(at(1000));
    change(&mut stored);
    Snapshot::new(&Arc::new(config.validate().unwrap()), stored)
}

#[test]
fn a_robot_does_what_its_own_policies_say_where_it_lives() {
    let push = r#"[{"resources":["project/*"],"actions":["push"]}]"#;
    let snapshot = snapshot(&crate::Config::default(), |stored| {
        stored.robots = vec![robot("robot+all", "", push), robot("robot+library+ci", "library", push)];
        stored.robots.push(standing::Robot { expires_at: Some(at(2000)), ..robot("robot+old", "", push) });
        stored.robots.push(standing::Robot { disabled_at: Some(at(900)), ..robot("robot+off", "", push) });
        stored.robots.push(robot("robot+broken", "", "{"));
    });
    let may = |name: &str, repository: &str, now| {
        let (robot, repository) =
            (Caller::new(Identity::Robot(name.into()), Proof::RobotSecret), repository.parse().unwrap());
        snapshot.granted(&robot, &Resource::Repository(&repository), at(now)).has(Action::Push)
    };
    assert!(may("robot+all", "library/a", 1500) && may("robot+all", "other/a", 1500));
    assert!(may("robot+library+ci", "library/a", 1500) && !may("robot+library+ci", "other/a", 1500));
    assert!(may("robot+old", "a/b", 1999) && !may("robot+old", "a/b", 2000), "its time ends by itself");
    assert!(
        !may("robot+off", "a/b", 1500)
            && !may("robot+none", "a/b", 1500)
            && !may("robot+broken", "a/b", 1500)
    );
}

#[test]
fn who_was_disabled_revoked_or_deleted_stands_no_more() {
    let config = super::config(crate::Anonymous::None, vec![super::user("local", crate::UserAccess::Write)]);
    let snapshot = snapshot(&config, |stored| {
        stored.accounts = vec![account("ann", "[]")];
        stored.accounts.push(standing::Account { disabled_at: Some(at(900)), ..account("off", "[]") });
        stored.accounts.push(standing::Account { valid_after: at(800), ..account("new", "[]") });
        stored.robots = vec![standing::Robot { expires_at: Some(at(1200)), ..robot("robot+ci", "", "[]") }];
    });
    let user = |name: &str| named(name);
    let stands = |caller: &Caller, issued| snapshot.stands(caller, at(issued), at(1100));
    assert_eq!(stands(&user("ann"), 500), Ok(()));
    let local =
        |fingerprint: Arc<str>| user("local").by(Some(crate::evidence::Evidence::Configured { fingerprint }));
    assert_eq!(
        stands(&local(super::cheap_hash().fingerprint()), 500),
        Ok(()),
        "who stands in the configuration"
    );
    assert_eq!(stands(&local("another".into()), 500), Err(Gone::Changed));
    assert_eq!(stands(&user("local"), 500), Err(Gone::Changed), "an account of that name");
    assert_eq!(stands(&user("off"), 950), Err(Gone::Disabled(at(900))));
    assert_eq!(stands(&user("new"), 799), Err(Gone::Revoked(at(800))));
    assert_eq!(stands(&user("new"), 800), Ok(()));
    assert_eq!(stands(&user("eve"), 500), Err(Gone::Deleted));
    assert_eq!(stands(&user("eve"), 1050), Ok(()), "made since this was read");
    let robot = |name: &str| Caller::new(Identity::Robot(name.into()), Proof::RobotSecret);
    let ci = robot("robot+ci");
    assert_eq!(stands(&ci, 500), Ok(()));
    assert_eq!(snapshot.stands(&ci, at(500), at(1200)), Err(Gone::Expired(at(1200))));
    assert_eq!(stands(&robot("robot+gone"), 500), Err(Gone::Deleted));
    assert_eq!(stands(&Caller::anonymous(), 0), Ok(()));
    let repository = "a/b".parse().unwrap();
    let off = named("off");
    let open = snapshot.decide(&off, Action::Pull, &Resource::Repository(&repository), at(1100));
    assert_eq!(open.outcome, Outcome::Gone(Gone::Disabled(at(900))));
}

#[test]
fn who_left_a_group_has_left_it_on_old_tokens_too() {
    let bindings = json!([{ "role": "developer", "subjects": ["group:dev"] }]);
    let config = with_roles(json!({ "bindings": bindings }), json!([]));
    let snapshot = snapshot(&config, |stored| {
        stored.accounts = vec![account("in", r#"["dev"]"#), account("out", "[]"), account("broken", "no")];
    });
    let repository = "a/b".parse().unwrap();
    let groups: Arc<[Arc<str>]> = Arc::from([Arc::from("dev")]);
    let pushes = |caller: Caller| {
        snapshot.granted(&caller, &Resource::Repository(&repository), at(1100)).has(Action::Push)
    };
    assert!(pushes(named("in")), "by the last login, whatever the token says");
    assert!(!pushes(named("out").with_groups(Arc::clone(&groups))));
    assert!(!pushes(named("broken").with_groups(Arc::clone(&groups))));
    assert!(pushes(named("elsewhere").with_groups(groups)), "who has no account here");
}

#[test]
fn a_role_that_can_not_be_read_denies_everything() {
    let bindings = json!([{ "role": "administrator", "subjects": ["user:ann"] }]);
    let snapshot = snapshot(&with_roles(json!({ "bindings": bindings }), json!([])), |stored| {
        stored.roles = vec![("odd".into(), r#"[{"resources":["galaxy/*"],"actions":["pull"]}]"#.into())];
        stored.bindings = vec![what("user:ann", "odd", "library"), what("user:ann", "deleted", "")];
    });
    let pulls = |name: &str| {
        let name = name.parse().unwrap();
        snapshot.granted(&named("ann"), &Resource::Repository(&name), at(1100)).has(Action::Pull)
    };
    assert!(!pulls("library/a") && pulls("other/a"));
}

#[tokio::test]
async fn an_open_registry_stays_open_beside_a_catalog() {
    let config = super::config(crate::Anonymous::Write, vec![]);
    let fixture = Fixture::new(&config).await;
    let permit = fixture.access.permit::<Push>(&Caller::anonymous(), &"any/where".parse().unwrap()).unwrap();
    assert_eq!(permit.new_project(), NewProject::Granted);
    assert!(!fixture.access.challenge_needed() && !fixture.access.has_users());
}
