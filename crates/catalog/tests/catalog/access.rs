//! Projects, roles and bindings, and how accounts and robots stand.

use berth_catalog::binding::{self, Kind, NewBinding};
use berth_catalog::{access_generation, account, project, repository, role, standing};
use serde_json::json;

use crate::{Fixture, On, name, on_both};

impl Fixture {
    async fn generation(&self) -> i64 {
        self.catalog.read(async |r| access_generation::find(r).await).await.unwrap()
    }
}

fn bound(kind: Kind, subject: &str, role: &str, project: &str) -> NewBinding {
    NewBinding { kind, subject: subject.into(), role: role.into(), project: project.into() }
}

async fn projects_come_change_and_go(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let made = fixture.catalog.write(async move |tx| {
        assert!(project::insert(tx, "b", false, "ann", now).await?);
        assert!(!project::insert(tx, "b", true, "bob", now).await?, "it is there");
        assert!(project::insert(tx, "a", true, "", now).await?);
        project::find(tx, "b").await
    });
    let b = made.await.unwrap().unwrap();
    assert_eq!((b.name.as_str(), b.public, b.created_by.as_str(), b.created_at), ("b", false, "ann", now));
    assert_eq!(b.settings, json!({}));
    assert_eq!(fixture.generation().await, 1, "only the public one changes a decision");
    let settings = json!({ "quota": 5, "text": "\"'" });
    let kept = settings.clone();
    let changed = fixture.catalog.write(async move |tx| {
        assert!(project::set_public(tx, "b", true).await?);
        assert!(!project::set_public(tx, "none", true).await?);
        assert!(project::set_settings(tx, "b", &settings).await?);
        assert!(!project::set_settings(tx, "none", &settings).await?);
        Ok::<_, berth_catalog::Error>(())
    });
    changed.await.unwrap();
    let found = fixture.catalog.read(async |r| project::find(r, "b").await).await.unwrap().unwrap();
    assert_eq!((found.public, found.settings), (true, kept));
    let many = fixture.catalog.read(async |r| {
        Ok::<_, berth_catalog::Error>((project::are_many(r, 2).await?, project::are_many(r, 3).await?))
    });
    assert_eq!(many.await.unwrap(), (true, false));
    let names = |list: Vec<project::Project>| list.into_iter().map(|one| one.name).collect::<Vec<_>>();
    let listed = fixture.catalog.read(async |r| project::list(r, "", 1).await).await.unwrap();
    assert_eq!(names(listed), ["a"]);
    let listed = fixture.catalog.read(async |r| project::list(r, "a", 9).await).await.unwrap();
    assert_eq!(names(listed), ["b"]);
    let public = fixture.catalog.read(async |r| project::list_public(r, "", 9).await).await.unwrap();
    assert_eq!(public, ["a", "b"]);
    let what = bound(Kind::User, "ann", "guest", "b");
    let gone = fixture.catalog.write(async move |tx| {
        binding::insert(tx, &what, "root", now).await?;
        let gone = project::delete(tx, "b").await?;
        Ok::<_, berth_catalog::Error>((
            gone,
            binding::find(tx, &what).await?,
            project::delete(tx, "b").await?,
        ))
    });
    assert_eq!(gone.await.unwrap(), (true, None, false));
}

async fn a_project_holds_the_repositories_below_its_name(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let made = fixture.catalog.write(async move |tx| {
        for repository in ["lib/a", "lib2/a", "one", "li"] {
            repository::ensure(tx, &name(repository), now).await?;
        }
        let mut holds = Vec::new();
        for project in ["lib", "lib2", "one", "li", "l", "a", "lib0"] {
            holds.push(project::holds_repository(tx, project).await?);
        }
        Ok::<_, berth_catalog::Error>(holds)
    });
    assert_eq!(made.await.unwrap(), [true, true, true, true, false, false, false]);
}

async fn roles_are_replaced_by_name(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let made = fixture.catalog.write(async move |tx| {
        role::insert(tx, "b", "second", "[]", now).await?;
        role::insert(tx, "a", "first", "[1]", now).await?;
        role::insert(tx, "b", "second again", "[2]", now).await?;
        role::find(tx, "b").await
    });
    let b = made.await.unwrap().unwrap();
    assert_eq!((b.description.as_str(), b.policies.as_str(), b.changed_at), ("second again", "[2]", now));
    assert_eq!(fixture.generation().await, 3);
    let after = fixture.catalog.read(async |r| role::list(r, "a", 9).await).await.unwrap();
    assert_eq!(after, [b]);
    let many = fixture.catalog.read(async |r| {
        Ok::<_, berth_catalog::Error>((role::are_many(r, 2).await?, role::are_many(r, 3).await?))
    });
    assert_eq!(many.await.unwrap(), (true, false));
    let gone = fixture.catalog.write(async |tx| {
        Ok::<_, berth_catalog::Error>((role::delete(tx, "b").await?, role::delete(tx, "b").await?))
    });
    assert_eq!(gone.await.unwrap(), (true, false));
    assert_eq!(fixture.generation().await, 5);
}

async fn a_number_of_a_binding_is_never_another(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let made = fixture.catalog.write(async move |tx| {
        let mut ids = Vec::new();
        for role in ["project-admin", "guest"] {
            let what = bound(Kind::User, "x", role, "p");
            binding::insert(tx, &what, "root", now).await?;
            ids.push(binding::find(tx, &what).await?.map(|one| one.id));
            binding::delete(tx, &what).await?;
        }
        Ok::<_, berth_catalog::Error>(ids)
    });
    let ids = made.await.unwrap();
    assert_ne!(ids[0], ids[1]);
}

async fn bindings_are_there_once(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let all: Vec<_> = Kind::ALL.into_iter().map(|kind| bound(kind, "x", "guest", "p")).collect();
    let kinds = all.clone();
    let made = fixture.catalog.write(async move |tx| {
        for what in &kinds {
            assert!(binding::insert(tx, what, "root", now).await?);
            assert!(!binding::insert(tx, what, "root", now).await?);
        }
        binding::insert(tx, &bound(Kind::User, "x", "auditor", ""), "root", now).await?;
        Ok::<_, berth_catalog::Error>(())
    });
    made.await.unwrap();
    let read = async |after| fixture.catalog.read(async |r| binding::list(r, after, 4).await).await.unwrap();
    let (first, rest) = (read(0).await, read(read(0).await[3].id).await);
    let whats: Vec<_> = first.iter().chain(&rest).map(|one| one.what.clone()).collect();
    assert_eq!(whats[..6], all[..]);
    assert_eq!((first[0].created_by.as_str(), first[0].created_at), ("root", now));
    let of_x =
        fixture.catalog.read(async |r| binding::list_subject(r, Kind::User, "x", 9).await).await.unwrap();
    assert_eq!(of_x.iter().map(|one| one.what.role.as_str()).collect::<Vec<_>>(), ["auditor", "guest"]);
    let inside = fixture.catalog.read(async |r| binding::list_project(r, "p", 0, 9).await).await.unwrap();
    assert_eq!(inside.len(), 6);
    let everywhere = fixture.catalog.read(async |r| binding::list_project(r, "", 0, 9).await).await.unwrap();
    assert_eq!(everywhere.len(), 1);
    let found =
        fixture.catalog.read(async |r| binding::list_role(r, Some("auditor"), 0, 9).await).await.unwrap();
    assert_eq!(found[0].what.subject, "x");
    let guests = fixture.catalog.read(async |r| binding::list_role_in(r, "p", Some("guest"), 0, 9).await);
    assert_eq!(guests.await.unwrap(), inside);
    let none = fixture.catalog.read(async |r| binding::list_role_in(r, "p", Some("auditor"), 0, 9).await);
    assert!(none.await.unwrap().is_empty());
    let any = fixture.catalog.read(async |r| binding::list_role_in(r, "", None, 0, 9).await);
    assert_eq!(any.await.unwrap(), everywhere);
    let auditors = fixture.catalog.read(async |r| binding::list_role(r, Some("auditor"), 0, 9).await);
    assert_eq!(auditors.await.unwrap(), everywhere);
    let any =
        fixture.catalog.read(async |r| binding::list_role(r, None, inside[0].id, 3).await).await.unwrap();
    assert_eq!(any, inside[1..4]);
    let (kind, after) = (Kind::User, inside[0].id);
    let own = fixture.catalog.read(async |r| binding::list_subject_from(r, kind, "x", after, 9).await);
    assert_eq!(own.await.unwrap(), everywhere);
    let counted = fixture.catalog.read(async |r| {
        let of_one = (binding::has_many(r, "p", 6).await?, binding::has_many(r, "p", 7).await?);
        Ok::<_, berth_catalog::Error>((
            of_one,
            binding::are_many(r, 7).await?,
            binding::are_many(r, 8).await?,
        ))
    });
    assert_eq!(counted.await.unwrap(), ((true, false), true, false));
    fixture.alter(
        "INSERT INTO account (name, source, must_change, failures, member_of, valid_after, created_at)
         VALUES ('x', 'local', 0, 0, '[]', 0, 0)",
    );
    let count = async || fixture.catalog.read(async |r| binding::list(r, 0, 99).await).await.unwrap().len();
    let before = count().await;
    let gone = fixture.catalog.write(async |tx| {
        let what = bound(Kind::Group, "x", "guest", "p");
        let one = (binding::delete(tx, &what).await?, binding::delete(tx, &what).await?);
        let account = account::find(tx, "x").await?.unwrap();
        account::delete(tx, account.id).await?;
        Ok::<_, berth_catalog::Error>(one)
    });
    assert_eq!(gone.await.unwrap(), (true, false));
    // The one that was deleted, and the two of the user who went.
    assert_eq!((before, count().await), (7, 4));
}

async fn accounts_and_robots_are_read_as_they_stand(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.alter(
        "INSERT INTO account (name, source, must_change, failures, member_of, disabled_at, valid_after, created_at)
         VALUES ('ann', 'local', 0, 0, '[\"dev\"]', NULL, 7000000, 0), ('bob', 'ldap', 0, 0, '[]', 5000000, 0, 0)",
    );
    fixture.alter(
        "INSERT INTO robot (name, project, description, policies, owner, created_at, expires_at, valid_after)
         VALUES ('robot+lib+ci', 'lib', '', '[]', 'ann', 0, 9000000, 0)",
    );
    let accounts = fixture.catalog.read(async |r| standing::list_accounts(r, "", 9).await).await.unwrap();
    let seconds = |at: Option<jiff::Timestamp>| at.map(jiff::Timestamp::as_second);
    assert_eq!(accounts[0].name, "ann");
    assert_eq!((accounts[0].member_of.as_str(), accounts[0].valid_after.as_second()), ("[\"dev\"]", 7));
    assert_eq!((accounts[1].name.as_str(), seconds(accounts[1].disabled_at)), ("bob", Some(5)));
    let sources = [account::Source::Local, account::Source::Ldap];
    assert_eq!([accounts[0].source, accounts[1].source], sources);
    let after = fixture.catalog.read(async |r| standing::list_accounts(r, "ann", 9).await).await.unwrap();
    assert_eq!(after.len(), 1);
    let robots = fixture.catalog.read(async |r| standing::list_robots(r, "", 9).await).await.unwrap();
    assert_eq!((robots[0].project.as_str(), seconds(robots[0].expires_at)), ("lib", Some(9)));
    let elsewhere = bound(Kind::Robot, "robot+lib+ci", "guest", "other");
    let now = fixture.now();
    let gone = fixture.catalog.write(async move |tx| {
        binding::insert(tx, &elsewhere, "root", now).await?;
        let gone = project::delete(tx, "lib").await?;
        Ok::<_, berth_catalog::Error>((gone, binding::find(tx, &elsewhere).await?))
    });
    assert_eq!(gone.await.unwrap(), (false, None), "what its robots hold elsewhere goes with it");
    let robots = fixture.catalog.read(async |r| standing::list_robots(r, "", 9).await).await.unwrap();
    assert!(robots.is_empty(), "a project takes its robots with it");
}

on_both!(
    projects_come_change_and_go,
    a_project_holds_the_repositories_below_its_name,
    roles_are_replaced_by_name,
    bindings_are_there_once,
    a_number_of_a_binding_is_never_another,
    accounts_and_robots_are_read_as_they_stand,
);
