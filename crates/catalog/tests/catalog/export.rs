//! Rows that leave one catalog at one moment, and come into another.

use berth_catalog::export::{
    Account, AppPassword, Binding, Blob, BlobLink, Event, Exported, Key, Manifest, OldPassword, Project,
    Pull, Repository, Robot, RobotSecret, Role, Secret, SigningKey, Subject, Tag, VaultKey,
};
use berth_catalog::restore::{self, Bytes, Restored};
use berth_catalog::{Catalog, Error, Tx, event, hold, job, mode, pull};

use crate::{Fixture, On, name, on_both};

on_both!(
    another_catalog_takes_in_what_one_exports,
    another_catalog_takes_in_who_may_do_what,
    a_catalog_that_is_being_restored_says_so_until_the_end,
    a_snapshot_sees_no_commit_behind_its_first_statement,
    a_hold_keeps_jobs_of_its_kind_from_beginning_until_its_lease_ends,
);

/// Every row of a table, read two at a time.
async fn all<T: Exported>(catalog: &Catalog) -> Vec<T> {
    let read = catalog.snapshot(async |r| {
        let (mut rows, mut key) = (Vec::new(), Key::default());
        loop {
            let page = T::page(r, &key, 2).await?;
            let is_last = page.len() < 2;
            for (at, row) in page {
                key = at;
                rows.push(row);
            }
            if is_last {
                return Ok::<_, Error>(rows);
            }
        }
    });
    read.await.unwrap()
}

async fn move_over<T: Restored + Send + Sync + 'static>(from: &Catalog, to: &Catalog) -> usize {
    let rows = all::<T>(from).await;
    let count = rows.len();
    to.write(async move |tx: &mut Tx| {
        for row in &rows {
            row.restore(tx).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    count
}

async fn texts<T: Exported>(catalog: &Catalog) -> Vec<String> {
    let mut texts: Vec<_> =
        all::<T>(catalog).await.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    texts.sort();
    texts
}

async fn filled(on: On) -> Fixture {
    let fixture = Fixture::new(on).await;
    for (repository, image) in [("a/one", "1"), ("a/one", "2"), ("b", "1"), ("b/c", "3")] {
        let layer = fixture.push_blob(&name(repository), &format!("layer {image}")).await;
        let config = fixture.push_blob(&name(repository), "config").await;
        fixture.push_manifest(&name(repository), image, &[layer, config], &[&format!("v{image}")]).await;
    }
    fixture
}

async fn another_catalog_takes_in_what_one_exports(on: On) {
    let (from, to) = (filled(on).await, Fixture::new(on).await);
    let delta = pull::Delta { repository: name("b"), reference: "v1".into(), count: 7, last_at: from.now() };
    from.catalog.write(async move |tx| pull::add(tx, &delta).await).await.unwrap();
    assert!(to.catalog.read(async |r| restore::is_empty(r).await).await.unwrap());

    assert_eq!(move_over::<Repository>(&from.catalog, &to.catalog).await, 3);
    let blobs = all::<Blob>(&from.catalog).await;
    assert_eq!(blobs.len(), 4);
    to.catalog
        .write(async move |tx: &mut Tx| {
            for blob in &blobs {
                let bytes = Bytes::Inline(blob.content.as_deref().unwrap());
                restore::insert_blob(tx, &blob.digest, blob.size, blob.created_at, bytes).await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    move_over::<BlobLink>(&from.catalog, &to.catalog).await;
    assert_eq!(move_over::<Manifest>(&from.catalog, &to.catalog).await, 4);
    assert_eq!(move_over::<Tag>(&from.catalog, &to.catalog).await, 4);
    assert_eq!(move_over::<Pull>(&from.catalog, &to.catalog).await, 1);
    move_over::<Event>(&from.catalog, &to.catalog).await;

    assert_eq!(texts::<Blob>(&from.catalog).await, texts::<Blob>(&to.catalog).await);
    assert_eq!(texts::<BlobLink>(&from.catalog).await, texts::<BlobLink>(&to.catalog).await);
    assert_eq!(texts::<Manifest>(&from.catalog).await, texts::<Manifest>(&to.catalog).await);
    assert_eq!(texts::<Tag>(&from.catalog).await, texts::<Tag>(&to.catalog).await);
    assert_eq!(texts::<Pull>(&from.catalog).await, texts::<Pull>(&to.catalog).await);
    assert_eq!(texts::<Event>(&from.catalog).await, texts::<Event>(&to.catalog).await);
    let broken = to.catalog.read(async |r| event::verify(r, 2).await).await.unwrap();
    assert_eq!(broken, None);
    assert!(!to.catalog.read(async |r| restore::is_empty(r).await).await.unwrap());

    // A row that names what is not there comes to nothing.
    let tag = Tag { repository: "none".into(), ..all::<Tag>(&from.catalog).await.remove(0) };
    let refused = to.catalog.write(async move |tx: &mut Tx| tag.restore(tx).await).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

/// A row of each table of who may do what, with NULL where it may be and without.
const ACCESS: &str = "
    INSERT INTO project (name, public, settings, created_at, created_by) VALUES ('team', 1, '{}', 1, 'x');
    INSERT INTO role (name, description, policies, changed_at) VALUES ('dev', 'd', '[]', 2);
    INSERT INTO binding (kind, subject, role, project, created_at, created_by) VALUES ('user', 'alice', 'dev', 'team', 3, 'x');
    INSERT INTO account (name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                         locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at)
        VALUES ('alice', 'local', 'e', 'A', 'a@b', '$argon2id$', 4, 1, 2, 5, BYTES, 6, '[]', 7, 8, 9, 10);
    INSERT INTO account (name, source, must_change, failures, member_of, valid_after, created_at)
        VALUES ('bob', 'oidc', 0, 0, '[]', 11, 12);
    INSERT INTO old_password (account_id, changed_at, password) SELECT id, 13, 'old' FROM account;
    INSERT INTO old_password (account_id, changed_at, password) SELECT id, 14, 'older' FROM account WHERE name = 'alice';
    INSERT INTO app_password (account_id, name, secret, created_at, expires_at, revoked_at, used_at)
        SELECT id, 'laptop', 's ' || name, 15, 16, CASE WHEN name = 'bob' THEN 17 END, NULL FROM account;
    INSERT INTO robot (name, project, description, policies, owner, created_at, expires_at, disabled_at, valid_after, used_at)
        VALUES ('robot+ci', '', 'd', '[]', 'alice', 18, NULL, NULL, 19, 20), ('robot+a+ci', 'a', '', '[]', 'x', 21, 22, 23, 24, NULL);
    INSERT INTO robot_secret (robot_id, secret, created_at, expires_at) SELECT id, name, 25, 26 FROM robot;
    INSERT INTO signing_key (kid, sealed, public, created_at, gone_at) VALUES ('k', BYTES, '{}', 27, NULL);
    INSERT INTO vault_key (kid, material, created_at) VALUES ('k', BYTES, 28), ('l', NULL, 29);
    INSERT INTO secret (name, sealed, changed_at) VALUES ('ldap', BYTES, 30);
    INSERT INTO subject (pseudonym, name, sealed, created_at, erased_at, blanked_at)
        VALUES ('p', 'alice', BYTES, 31, NULL, NULL), ('q', NULL, NULL, 32, 33, 34)";

async fn another_catalog_takes_in_who_may_do_what(on: On) {
    let (from, to) = (Fixture::new(on).await, Fixture::new(on).await);
    let bytes = match on {
        On::Sqlite => "x'00ff'",
        On::Postgres => "'\\x00ff'",
    };
    from.alter(&ACCESS.replace("BYTES", bytes));
    // Ids differ here, so that nothing can rest on them.
    to.alter("INSERT INTO account (name, source, must_change, failures, member_of, valid_after, created_at) VALUES ('z', '', 0, 0, '', 0, 0)");
    to.alter("DELETE FROM account");
    assert!(!from.catalog.read(async |r| restore::is_empty(r).await).await.unwrap());
    let mut rows = 0;
    macro_rules! each {
        ($($row:ident)+) => { $(
            let moved = move_over::<$row>(&from.catalog, &to.catalog).await;
            assert!(moved > 0);
            assert_eq!(texts::<$row>(&from.catalog).await, texts::<$row>(&to.catalog).await);
            rows += moved;
        )+ };
    }
    each!(Project Role Binding Account OldPassword AppPassword Robot RobotSecret SigningKey VaultKey Secret Subject);
    assert_eq!(rows, 20);
    assert!(!to.catalog.read(async |r| restore::is_empty(r).await).await.unwrap());
    // A row that names what is not there comes to nothing.
    let lost =
        OldPassword { account: "nobody".to_owned(), ..all::<OldPassword>(&from.catalog).await.remove(0) };
    let refused = to.catalog.write(async move |tx: &mut Tx| lost.restore(tx).await).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

async fn a_catalog_that_is_being_restored_says_so_until_the_end(on: On) {
    let (used, empty) = (filled(on).await, Fixture::new(on).await);
    let begin = async |fixture: &Fixture, point: &'static str| {
        let now = fixture.now();
        fixture.catalog.write(async move |tx| restore::begin(tx, point, now).await).await
    };
    let rests = async |fixture: &Fixture| {
        let now = fixture.now();
        fixture.catalog.read(async |r| mode::rests(r, now).await).await.unwrap()
    };
    begin(&used, "one").await.unwrap();
    assert_eq!(rests(&used).await, None, "somebody may be using it");
    begin(&empty, "one").await.unwrap();
    assert_eq!(rests(&empty).await, Some(mode::Rest::Restoring));
    begin(&empty, "one").await.unwrap();
    assert!(matches!(begin(&empty, "two").await, Err(Error::NotFree(_))));
    empty.catalog.write(async |tx| restore::end(tx).await).await.unwrap();
    assert_eq!(rests(&empty).await, None);
}

async fn a_snapshot_sees_no_commit_behind_its_first_statement(on: On) {
    let fixture = filled(on).await;
    let beside = fixture.catalog.clone();
    let counts = fixture.catalog.snapshot(async |r| {
        let before = Repository::page(r, &Key::default(), 100).await?.len();
        // Another commits in between.
        let late = Repository { name: "late".into(), created_at: 1 };
        let (told, told_of) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(beside.write(async move |tx: &mut Tx| late.restore(tx).await)).unwrap();
            told.send(()).unwrap();
        });
        told_of.recv().unwrap();
        let after = Repository::page(r, &Key::default(), 100).await?.len();
        Ok::<_, Error>((before, after))
    });
    assert_eq!(counts.await.unwrap(), (3, 3));
    assert_eq!(all::<Repository>(&fixture.catalog).await.len(), 4);
}

async fn a_hold_keeps_jobs_of_its_kind_from_beginning_until_its_lease_ends(on: On) {
    let fixture = Fixture::new(on).await;
    let (catalog, now) = (&fixture.catalog, fixture.now());
    let second = jiff::SignedDuration::from_secs(1);
    let acquire = async move |lease: &'static str| {
        let unit = async move |tx: &mut Tx| hold::acquire(tx, "collect", lease, now + second, now).await;
        catalog.write(unit).await.unwrap()
    };
    let due = async |at| catalog.read(async |r| job::find_due(r, None, at).await).await.unwrap();
    let is_held =
        async |kind: &str, at| catalog.read(async |r| hold::is_held(r, kind, at).await).await.unwrap();
    assert!(!is_held("collect", now).await);
    let held = acquire("one").await.unwrap();
    assert_eq!(acquire("two").await, None, "one at a time");
    assert!(is_held("collect", now).await && !is_held("scrub", now).await);
    assert!(!is_held("collect", now + second * 2).await, "who holds it has died");
    let job = catalog.read(async |r| job::find(r, held).await).await.unwrap().unwrap();
    assert!(hold::is_hold(&job.payload) && !hold::is_hold("{}"));
    let new = job::NewJob { kind: "collect", slot: None, payload: "{}".into(), run_at: now };
    let queued = catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap();
    assert_eq!(due(now).await, None);
    let other = job::NewJob { kind: "scrub", slot: None, payload: "{}".into(), run_at: now };
    let other = catalog.write(async move |tx| job::enqueue(tx, &other, now).await).await.unwrap();
    assert_eq!(due(now).await, other, "another kind is not held off");
    assert_eq!(due(now + second * 2).await, Some(held), "its lease ended: somebody claims it");

    let done = job::Outcome::Done("{}".into());
    let ended = catalog.write(async move |tx| job::finish(tx, held, "one", &done, now).await).await.unwrap();
    assert!(ended && !is_held("collect", now).await);
    assert_eq!(due(now).await, queued);
}
