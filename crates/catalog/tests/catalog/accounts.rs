//! Accounts, their passwords, robots and sessions as rows.

use std::time::Duration;

use berth_catalog::account::{self, AccountId, New, Source};
use berth_catalog::{Error, Hidden, Tx, access_generation, app_password, old_password, robot, robot_secret};
use jiff::SignedDuration;

use crate::{Fixture, On, on_both};

on_both!(
    an_account_is_what_was_written_of_it,
    notes_of_logins_change_no_decision,
    an_account_leaves_nothing_behind,
    old_passwords_are_forgotten_in_order,
    application_passwords_belong_to_one_account,
    a_robot_is_what_was_written_of_it,
);

fn new(name: &str) -> New {
    New {
        name: name.to_owned(),
        source: Source::Local,
        external: None,
        display_name: Some("A".to_owned()),
        email: None,
        password: Some(Hidden::new("hash".to_owned())),
        must_change: true,
        groups: vec!["a \"b\"".to_owned()],
    }
}

pub(crate) async fn write<T: Send + 'static>(
    f: &Fixture,
    unit: impl AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
) -> T {
    f.catalog.write(unit).await.unwrap()
}

pub(crate) async fn make(f: &Fixture, name: &'static str) -> AccountId {
    let now = f.now();
    write(f, async move |tx| account::insert(tx, &new(name), now).await).await.unwrap()
}

async fn generation(f: &Fixture) -> i64 {
    f.catalog.read(async |r| access_generation::find(r).await).await.unwrap()
}

async fn found(f: &Fixture, id: AccountId) -> account::Account {
    f.catalog.read(async |r| account::find_by_id(r, id).await).await.unwrap().unwrap()
}

async fn an_account_is_what_was_written_of_it(on: On) {
    let f = Fixture::new(on).await;
    let now = f.now();
    assert!(!f.catalog.read(async |r| account::any(r).await).await.unwrap());
    let id = make(&f, "alice").await;
    let taken = write(&f, async move |tx| account::insert(tx, &new("alice"), now).await).await;
    assert_eq!(taken, None);
    let external =
        New { source: Source::Oidc, external: Some("issuer#1".to_owned()), password: None, ..new("bob") };
    let bob = write(&f, async move |tx| account::insert(tx, &external, now).await).await.unwrap();
    let read = f.catalog.read(async |r| {
        let by_name = account::find(r, "alice").await?;
        let external = account::find_external(r, Source::Oidc, "issuer#1").await?;
        let none = account::find_external(r, Source::Ldap, "issuer#1").await?;
        Ok::<_, Error>((by_name, external, none, account::list(r, "alice", 9).await?))
    });
    let (by_name, external, none, behind) = read.await.unwrap();
    assert_eq!((by_name, none), (Some(found(&f, id).await), None));
    assert_eq!(external.as_ref().map(|account| (account.id, account.password_changed_at)), Some((bob, None)));
    assert_eq!(behind, [external.unwrap()]);
    let alice = found(&f, id).await;
    assert_eq!(alice.groups, ["a \"b\""]);
    assert_eq!((alice.must_change, alice.valid_after, alice.password_changed_at), (true, now, Some(now)));

    f.clock.advance(Duration::from_secs(9));
    let (later, before) = (f.now(), generation(&f).await);
    write(&f, async move |tx| {
        account::set_password(tx, id, "$harbor-sha1$a$b", false, later).await?;
        account::set_profile(tx, id, None, Some("a@b")).await?;
        account::set_disabled(tx, id, true, later).await?;
        account::set_totp(tx, id, Some(b"sealed"), Some(5), later).await
    })
    .await;
    let alice = found(&f, id).await;
    assert_eq!(alice.password.as_ref().map(|hash| hash.as_str()), Some("$harbor-sha1$a$b"));
    assert_eq!(
        (alice.email.as_deref(), alice.disabled_at, alice.valid_after),
        (Some("a@b"), Some(later), later)
    );
    assert_eq!((alice.totp.unwrap().into_inner(), alice.totp_step), (b"sealed".to_vec(), Some(5)));
    assert_eq!(generation(&f).await, before + 3);
    let waits = async || f.catalog.read(async |r| account::any_of_harbor(r).await).await.unwrap();
    assert!(waits().await);
    write(&f, async move |tx| account::rehash(tx, id, "another", "new").await).await;
    assert!(waits().await, "it was changed meanwhile");
    write(&f, async move |tx| account::rehash(tx, id, "$harbor-sha1$a$b", "new").await).await;
    assert!(!waits().await);
    let use_step = async |step| write(&f, async move |tx| account::use_totp_step(tx, id, step).await).await;
    assert_eq!((use_step(5).await, use_step(7).await, use_step(6).await), (false, true, false));
    assert!(write(&f, async move |tx| account::set_groups(tx, id, &["x".to_owned()]).await).await);
    assert!(!write(&f, async move |tx| account::set_groups(tx, id, &["x".to_owned()]).await).await);
    write(&f, async move |tx| account::set_valid_after(tx, id, later).await).await;
    assert_eq!(found(&f, id).await.groups, ["x"]);
}

async fn notes_of_logins_change_no_decision(on: On) {
    let f = Fixture::new(on).await;
    let id = make(&f, "alice").await;
    let (now, before) = (f.now(), generation(&f).await);
    let until = Some(now + SignedDuration::from_secs(30));
    assert!(account::is_news(&found(&f, id).await, now));
    write(&f, async move |tx| {
        account::note_login(tx, id, now).await?;
        account::strike(tx, id, 3, until).await?;
        account::strike(tx, id, 2, None).await
    })
    .await;
    let alice = found(&f, id).await;
    assert_eq!((alice.failures, alice.locked_until, alice.seen_at), (3, until, Some(now)));
    assert!(account::is_news(&alice, now), "there are failures to forget");
    write(&f, async move |tx| account::unlock(tx, id).await).await;
    let alice = found(&f, id).await;
    assert_eq!((alice.failures, alice.locked_until), (0, None));
    assert!(!account::is_news(&alice, now + SignedDuration::from_secs(59)));
    assert!(account::is_news(&alice, now + SignedDuration::from_secs(60)));
    assert_eq!(generation(&f).await, before);
}

async fn an_account_leaves_nothing_behind(on: On) {
    let f = Fixture::new(on).await;
    let (id, now) = (make(&f, "alice").await, f.now());
    make(&f, "bob").await;
    f.alter(
        "INSERT INTO binding (kind, subject, role, project, created_at, created_by) VALUES
             ('user', 'alice', 'admin', '', 0, ''), ('user', 'bob', 'admin', '', 0, ''), ('robot', 'alice', 'admin', '', 0, '')",
    );
    write(&f, async move |tx| {
        old_password::remember(tx, id, "old", 5, now).await?;
        app_password::insert(tx, id, "laptop", "secret", now, now).await?;
        account::delete(tx, id).await
    })
    .await;
    let left = f.catalog.read(async |r| {
        use berth_catalog::export::{AppPassword, Binding, Exported as _, Key, OldPassword};
        let bindings = Binding::page(r, &Key::default(), 9).await?.into_iter();
        let bindings: Vec<_> = bindings.map(|(_, row)| format!("{} {}", row.kind, row.subject)).collect();
        let passwords = OldPassword::page(r, &Key::default(), 9).await?.len();
        Ok::<_, Error>((bindings, passwords, AppPassword::page(r, &Key::default(), 9).await?.len()))
    });
    let expected = vec!["user bob".to_owned(), "robot alice".to_owned()];
    assert_eq!(left.await.unwrap(), (expected, 0, 0));
}

async fn old_passwords_are_forgotten_in_order(on: On) {
    let f = Fixture::new(on).await;
    let id = make(&f, "alice").await;
    for number in 0..5 {
        let now = f.now();
        write(&f, async move |tx| old_password::remember(tx, id, &format!("hash {number}"), 3, now).await)
            .await;
        f.clock.advance(Duration::from_secs(1));
    }
    let listed = f.catalog.read(async |r| old_password::list(r, id, 9).await).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(Hidden::into_inner).collect();
    assert_eq!(listed, ["hash 4", "hash 3", "hash 2"]);
}

async fn application_passwords_belong_to_one_account(on: On) {
    let f = Fixture::new(on).await;
    let (alice, bob, now) = (make(&f, "alice").await, make(&f, "bob").await, f.now());
    let id = write(&f, async move |tx| {
        app_password::insert(tx, bob, "phone", "hash of bob", now + SignedDuration::from_hours(1), now)
            .await?;
        app_password::insert(tx, alice, "laptop", "hash of alice", now + SignedDuration::from_hours(2), now)
            .await
    })
    .await;
    let find = async |hash| f.catalog.read(async |r| app_password::find(r, hash).await).await.unwrap();
    assert_eq!(find("hash of alice").await.map(|one| (one.account, one.id)), Some((alice, id)));
    assert_eq!(find("hash").await, None);
    let before = generation(&f).await;
    assert!(!write(&f, async move |tx| app_password::revoke(tx, bob, id, now).await).await);
    write(&f, async move |tx| app_password::note_use(tx, id, now).await).await;
    assert_eq!(generation(&f).await, before);
    assert!(write(&f, async move |tx| app_password::revoke(tx, alice, id, now).await).await);
    assert_eq!(generation(&f).await, before + 1);
    let listed = f.catalog.read(async |r| app_password::list(r, alice, 9).await).await.unwrap();
    assert_eq!((listed.len(), listed[0].used_at, listed[0].revoked_at), (1, Some(now), Some(now)));
    assert!(!app_password::is_news(&listed[0], now));
    let forget = async |account| {
        let before = now + SignedDuration::from_secs(1);
        write(&f, async move |tx| app_password::forget(tx, account, before).await).await
    };
    assert_eq!((forget(alice).await, forget(bob).await), (1, 0));
}

async fn a_robot_is_what_was_written_of_it(on: On) {
    let f = Fixture::new(on).await;
    let now = f.now();
    let row = |name: &str, project: &str| robot::New {
        name: name.to_owned(),
        project: project.to_owned(),
        description: String::new(),
        policies: "[]".to_owned(),
        owner: "alice".to_owned(),
        expires_at: Some(now),
    };
    assert!(!f.catalog.read(async |r| robot::any(r).await).await.unwrap());
    let (first, second) = (row("robot+team+ci", "team"), row("robot+x", ""));
    let (id, other) = write(&f, async move |tx| {
        assert_eq!(robot::insert(tx, &first, now).await?.zip(robot::insert(tx, &first, now).await?), None);
        let id = robot::find(tx, "robot+team+ci").await?.unwrap().id;
        Ok((id, robot::insert(tx, &second, now).await?.unwrap()))
    })
    .await;
    let before = generation(&f).await;
    write(&f, async move |tx| {
        robot::set_policies(tx, id, "builds", "[1]").await?;
        robot::set_expiry(tx, id, None).await?;
        robot::set_disabled(tx, id, true, now).await?;
        assert_eq!(robot::find_by_id(tx, id).await?.unwrap().known_to, ["alice"]);
        robot::set_known_to(tx, id, &["bob".to_owned(), "carl \"".to_owned()]).await?;
        assert!(robot::has_many(tx, "team", 1).await? && !robot::has_many(tx, "team", 2).await?);
        robot::note_use(tx, id, now).await
    })
    .await;
    assert_eq!(generation(&f).await, before + 3);
    let read = f.catalog.read(async |r| {
        let one = robot::find_by_id(r, id).await?.unwrap();
        let of = robot::list_of(r, "team", robot::RobotId(0), 9).await?;
        Ok::<_, Error>((one, of, robot::list(r, "robot+team+ci", 9).await?))
    });
    let (one, of, behind) = read.await.unwrap();
    assert_eq!((one.description.as_str(), one.policies.as_str(), one.expires_at), ("builds", "[1]", None));
    assert_eq!((one.disabled_at, one.used_at, one.valid_after), (Some(now), Some(now), now));
    assert_eq!(one.known_to, ["bob", "carl \""]);
    assert_eq!((of, behind.len(), behind[0].id), (vec![one.clone()], 1, other));
    assert!(!robot::is_news(&one, now));

    let secrets = write(&f, async move |tx| {
        let first = robot_secret::insert(tx, id, "$harbor-sha256$a$b", None, now).await?;
        let second = robot_secret::insert(tx, id, "second", None, now).await?;
        robot_secret::end_others(tx, id, second, now + SignedDuration::from_secs(5)).await?;
        robot_secret::end_others(tx, id, second, now + SignedDuration::from_secs(9)).await?;
        // No sooner than it ends anyway, and no other robot's.
        let late = now + SignedDuration::from_secs(7);
        assert!(!robot_secret::end(tx, id, first, late).await?);
        assert!(!robot_secret::end(tx, robot::RobotId(id.0 + 1), first, now).await?);
        let third = robot_secret::insert(tx, id, "third", None, now).await?;
        assert!(robot_secret::end(tx, id, third, late).await?);
        robot_secret::rehash(tx, first, "another", "never").await?;
        robot_secret::rehash(tx, first, "$harbor-sha256$a$b", "first").await?;
        robot_secret::list(tx, id, 9).await
    })
    .await;
    let ends: Vec<_> = secrets.iter().map(|secret| (secret.secret.as_str(), secret.expires_at)).collect();
    let later = |seconds| Some(now + SignedDuration::from_secs(seconds));
    assert_eq!(ends, [("third", later(7)), ("second", None), ("first", later(5))]);
    let found = f.catalog.read(async |r| robot_secret::find(r, "first").await).await.unwrap();
    assert_eq!(found.map(|secret| secret.robot), Some(id));
    let after = now + SignedDuration::from_secs(6);
    assert_eq!(write(&f, async move |tx| robot_secret::forget(tx, id, after).await).await, 1);
    write(&f, async move |tx| robot::delete(tx, id).await).await;
    assert_eq!(f.catalog.read(async |r| robot_secret::find(r, "second").await).await.unwrap(), None);
}
