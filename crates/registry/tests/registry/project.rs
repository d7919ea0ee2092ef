//! Projects as pushes meet them, and the rights that only the transaction of a push can ask for.

use std::sync::Arc;

use berth_access::{Access, Caller, NewProject, Permit, Push, ReadOnly};
use berth_catalog::project;
use berth_registry::{Error, Result};
use bytes::Bytes;
use serde_json::json;

use crate::fixture::{Fixture, IMAGE, On, body, image, large, name, refer, sha256};

/// Decisions for users who hold the role of their name.
fn access(create_projects: bool) -> Access {
    let role = |name: &str, actions: &[&str]| json!({ "name": name, "policies": [{ "resources": ["project/*"], "actions": actions }] });
    let bindings = ["maintainer", "developer", "creator", "updater", "signer"]
        .map(|role| json!({ "role": role, "subjects": [format!("user:{role}")] }));
    let mut config: berth_access::Config =
        serde_json::from_value(json!({ "create_projects": create_projects, "bindings": bindings })).unwrap();
    config.roles = serde_json::from_value(json!([
        role("creator", &["pull", "create"]),
        role("updater", &["pull", "update"]),
        role("signer", &["pull", "sign"]),
    ]))
    .unwrap();
    Access::new(&config, &ReadOnly::default()).unwrap()
}

fn permit(access: &Access, user: &str, repository: &str) -> Permit<Push> {
    access.permit(&Caller::user(user), &name(repository)).unwrap()
}

async fn find(fixture: &Fixture, name: &str) -> Option<project::Project> {
    fixture.registry.catalog().read(async |r| project::find(r, name).await).await.unwrap()
}

async fn put(fixture: &Fixture, permit: &Permit<Push>, reference: &str, content: &str) -> Result<()> {
    let content = Bytes::from(content.to_owned());
    fixture.registry.push_manifest(permit, &refer(reference), &[], Some(IMAGE), content).await.map(drop)
}

async fn the_first_push_makes_a_private_project_and_gives_its_maker_nothing(on: On) {
    let fixture = Fixture::new(on).await;
    let access = access(true);
    let maintainer = permit(&access, "maintainer", "new/app");
    let digest = sha256(b"{}");
    fixture.registry.push_blob(&maintainer, body(b"{}"), &digest).await.unwrap();
    let made = find(&fixture, "new").await.unwrap();
    assert_eq!((made.public, made.created_by.as_str()), (false, "maintainer"));
    let bound = fixture.registry.catalog().read(async |r| berth_catalog::binding::list(r, 0, 9).await).await;
    assert!(bound.unwrap().is_empty());
    // What exists is for whoever may push there.
    let developer = permit(&access, "developer", "new/other");
    assert_eq!(developer.new_project(), NewProject::NotGranted);
    fixture.registry.push_blob(&developer, body(b"{}"), &digest).await.unwrap();
}

async fn who_may_not_create_a_project_is_told_how_it_comes_to_be(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_blob("there/app", b"{}").await;
    let refused = |outcome: Result<()>, part: &str| match outcome {
        Err(error @ Error::NoProject { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    };
    let (pull, large) = (fixture.may("there/app"), large(7));
    for (create_projects, user, part) in [
        (true, "developer", "ask for a role that allows create on project/new"),
        (false, "maintainer", "access.create_projects"),
    ] {
        let push = permit(&access(create_projects), user, "new/app");
        refused(fixture.registry.start_upload(&push, None).await.map(drop), part);
        refused(fixture.registry.push_blob(&push, body(b"{}"), &digest).await, "`berth project create new`");
        refused(fixture.registry.push_blob(&push, body(&large), &sha256(&large)).await, part);
        refused(fixture.registry.mount_blob(&push, &pull, &digest).await.map(drop), part);
        refused(put(&fixture, &push, "1", &image(&digest, &[])).await, part);
    }
    assert!(find(&fixture, "new").await.is_none());
    fixture
        .registry
        .catalog()
        .read(async |r| {
            let known = berth_catalog::repository::find(r, &name("new/app")).await?;
            assert!(known.is_none(), "a refused push leaves nothing behind");
            Ok::<_, berth_catalog::Error>(())
        })
        .await
        .unwrap();
    assert_eq!(fixture.files().len(), 0, "{:?}", fixture.files());
}

async fn a_push_that_fails_makes_no_project(on: On) {
    let fixture = Fixture::new(on).await;
    let push = permit(&access(true), "maintainer", "new/app");
    let missing = put(&fixture, &push, "1", &image(&sha256(b"nowhere"), &[])).await;
    assert!(matches!(missing, Err(Error::ManifestBlobsUnknown { .. })));
    assert!(find(&fixture, "new").await.is_none());
}

async fn repositories_from_before_projects_keep_their_place(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_blob("old/app", b"{}").await;
    // As a point that was kept before there were projects restores it.
    fixture.registry.catalog().write(async |tx| project::delete(tx, "old").await).await.unwrap();
    let developer = permit(&access(true), "developer", "old/app");
    fixture.registry.push_blob(&developer, body(b"{}"), &sha256(b"{}")).await.unwrap();
    assert!(find(&fixture, "old").await.is_none());
    let beside = permit(&access(false), "developer", "old/new");
    fixture.registry.push_blob(&beside, body(b"{}"), &sha256(b"{}")).await.unwrap();
    let made = find(&fixture, "old").await.unwrap();
    assert_eq!((made.public, made.created_by.as_str()), (false, ""));
}

async fn first_pushes_at_once_make_one_project(on: On) {
    let nodes = Fixture::nodes(on).await;
    let access = access(true);
    let pushes: Vec<_> = (0..8)
        .map(|n| {
            let (node, push) =
                (Arc::clone(&nodes[n % nodes.len()]), permit(&access, "maintainer", &format!("new/a{n}")));
            tokio::spawn(async move {
                node.registry.push_blob(&push, body(b"{}"), &sha256(b"{}")).await.unwrap();
            })
        })
        .collect();
    for push in pushes {
        push.await.unwrap();
    }
    assert!(find(&nodes[0], "new").await.is_some());
}

async fn who_may_only_create_moves_no_tag_whatever_its_name(on: On) {
    let fixture = Fixture::new(on).await;
    let access = access(true);
    let config = fixture.push_blob("app", b"{}").await;
    let layer = fixture.push_blob("app", b"layer").await;
    let (one, two) = (image(&config, &[]), image(&config, &[(layer, 5)]));
    let creator = permit(&access, "creator", "app");
    // Names that mean something elsewhere mean nothing here.
    for tag in ["latest", "v1", "create", "update", "_", "1.0-update", "sha256-abc.sig", "any"] {
        put(&fixture, &creator, tag, &one).await.unwrap();
        put(&fixture, &creator, tag, &one).await.expect("the same again changes nothing");
        let refused = put(&fixture, &creator, tag, &two).await;
        match refused {
            Err(error @ Error::NotGranted { .. }) => {
                assert!(error.to_string().contains("creator may not update"), "{error}");
            }
            other => panic!("{tag}: {other:?}"),
        }
        assert_eq!(
            fixture.pull_manifest("app", tag).await.unwrap(),
            sha256(one.as_bytes()),
            "{tag} has moved"
        );
    }
    // By digest, with the tag as a parameter.
    let content = Bytes::from(two.clone());
    let by_digest = sha256(two.as_bytes()).into();
    let tagged = fixture
        .registry
        .push_manifest(&creator, &by_digest, &["latest".parse().unwrap()], Some(IMAGE), content)
        .await;
    assert!(matches!(tagged, Err(Error::NotGranted { .. })));
    let updater = permit(&access, "updater", "app");
    put(&fixture, &updater, "latest", &two).await.unwrap();
    assert!(matches!(put(&fixture, &updater, "fresh", &two).await, Err(Error::NotGranted { .. })));
    let signer = permit(&access, "signer", "app");
    let hex = &sha256(one.as_bytes()).to_string()["sha256:".len()..];
    let not_quite = [".", ".exe", "0"].map(|end| format!("sha256-{hex}{end}"));
    let not_hex = format!("sha256-{}", "g".repeat(64));
    for tag in ["latest", "fresh", not_hex.as_str()].into_iter().chain(not_quite.iter().map(String::as_str)) {
        assert!(matches!(put(&fixture, &signer, tag, &one).await, Err(Error::NotGranted { .. })), "{tag}");
    }
    // What tells what is attached to a manifest.
    for (end, images) in [("", [&one, &two]), (".sig", [&one, &two]), (".att", [&two, &one])] {
        for image in images {
            put(&fixture, &signer, &format!("sha256-{hex}{end}"), image).await.unwrap();
        }
    }
}

async fn two_creators_at_once_make_a_tag_once(on: On) {
    let nodes = Fixture::nodes(on).await;
    let access = access(true);
    let config = nodes[0].push_blob("app", b"{}").await;
    let layer = nodes[0].push_blob("app", b"layer").await;
    let images = [image(&config, &[]), image(&config, &[(layer, 5)])];
    for round in 0..5 {
        let pushes: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(n, image)| {
                let (node, image) = (Arc::clone(&nodes[n % nodes.len()]), image.clone());
                let push = permit(&access, "creator", "app");
                tokio::spawn(async move { put(&node, &push, &format!("t{round}"), &image).await.is_ok() })
            })
            .collect();
        let mut made = 0;
        for push in pushes {
            made += usize::from(push.await.unwrap());
        }
        assert_eq!(made, 1, "both made the tag, so one moved it");
    }
}

on_both!(
    the_first_push_makes_a_private_project_and_gives_its_maker_nothing,
    who_may_not_create_a_project_is_told_how_it_comes_to_be,
    a_push_that_fails_makes_no_project,
    repositories_from_before_projects_keep_their_place,
    first_pushes_at_once_make_one_project,
    who_may_only_create_moves_no_tag_whatever_its_name,
    two_creators_at_once_make_a_tag_once,
);
