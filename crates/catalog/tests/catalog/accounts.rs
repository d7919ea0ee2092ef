//! Accounts, their passwords, robots and sessions as rows.

use std::time::Duration;

use berth_catalog::account::{self, AccountId, New, Source};
use berth_catalog::{
    Error, Hidden, Tx, access_generation, app_password, logout, old_password, robot, robot_secret, session,
};
use jiff::{SignedDuration, Timestamp};

use crate::{Fixture, On, on_both};

on_both!(
    an_account_is_what_was_written_of_it,
    notes_of_logins_change_no_decision,
    an_account_leaves_nothing_behind,
    old_passwords_are_forgotten_in_order,
    application_passwords_belong_to_one_account,
    a_robot_is_what_was_written_of_it,
    sessions_end,
    a_users_sessions_are_few_and_end_together,
    secrets_that_ended_are_found_for_a_while,
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

async fn write<T: Send + 'static>(
    f: &Fixture,
    unit: impl AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
) -> T {
    f.catalog.write(unit).await.unwrap()
}

async fn make(f: &Fixture, name: &'static str) -> AccountId {
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
    assert_eq!((of, behind.len(), behind[0].id), (vec![one.clone()], 1, other));
    assert!(!robot::is_news(&one, now));

    let secrets = write(&f, async move |tx| {
        let first = robot_secret::insert(tx, id, "$harbor-sha256$a$b", None, now).await?;
        let second = robot_secret::insert(tx, id, "second", None, now).await?;
        robot_secret::end_others(tx, id, second, now + SignedDuration::from_secs(5)).await?;
        robot_secret::end_others(tx, id, second, now + SignedDuration::from_secs(9)).await?;
        // No sooner than it ends anyway, and no other robot's.
        let late = now + SignedDuration::from_secs(7);
        assert!(robot_secret::end(tx, id, first, late).await?);
        assert!(!robot_secret::end(tx, berth_catalog::robot::RobotId(id.0 + 1), first, now).await?);
        robot_secret::rehash(tx, first, "another", "never").await?;
        robot_secret::rehash(tx, first, "$harbor-sha256$a$b", "first").await?;
        robot_secret::list(tx, id, 9).await
    })
    .await;
    let ends: Vec<_> = secrets.iter().map(|secret| (secret.secret.as_str(), secret.expires_at)).collect();
    assert_eq!(ends, [("second", None), ("first", Some(now + SignedDuration::from_secs(5)))]);
    let found = f.catalog.read(async |r| robot_secret::find(r, "first").await).await.unwrap();
    assert_eq!(found.map(|secret| secret.robot), Some(id));
    let after = now + SignedDuration::from_secs(6);
    assert_eq!(write(&f, async move |tx| robot_secret::forget(tx, id, after).await).await, 1);
    write(&f, async move |tx| robot::delete(tx, id).await).await;
    assert_eq!(f.catalog.read(async |r| robot_secret::find(r, "second").await).await.unwrap(), None);
}

fn new_session(secret: &str, owner: &str, expires_at: Timestamp) -> session::New {
    session::New {
        kind: session::Kind::Browser,
        secret: secret.to_owned(),
        owner: owner.to_owned(),
        configured: None,
        identity: "{}".to_owned(),
        detail: "{}".to_owned(),
        expires_at,
    }
}

/// Something that ends what was proved by an account.
type End = for<'a> fn(
    &'a mut Tx,
    AccountId,
    Timestamp,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

async fn a_users_sessions_are_few_and_end_together(on: On) {
    let f = Fixture::new(on).await;
    let (now, id) = (f.now(), make(&f, "alice").await);
    let at = move |seconds| now + SignedDuration::from_secs(seconds);
    let begin = async |new: session::New, second| {
        write(&f, async move |tx| session::insert(tx, &new, 2, at(second)).await).await;
    };
    let there = async |secret: &str| {
        let found = f.catalog.read(async |r| session::find(r, session::Kind::Browser, secret).await);
        found.await.unwrap()
    };
    for (second, secret) in ["first", "second"].into_iter().enumerate() {
        begin(new_session(secret, "alice", at(99)), i64::try_from(second).unwrap()).await;
    }
    let first = there("first").await.unwrap();
    write(&f, async move |tx| session::note_use(tx, first.id, at(5)).await).await;
    begin(new_session("bobs", "bob", at(99)), 6).await;
    let refresh = session::New { kind: session::Kind::Refresh, ..new_session("other kind", "alice", at(99)) };
    begin(refresh, 6).await;
    begin(new_session("third", "alice", at(99)), 6).await;
    assert!(
        there("first").await.is_some() && there("third").await.is_some() && there("bobs").await.is_some()
    );
    assert_eq!(there("second").await, None, "nobody used it for the longest time");
    let newest = f.catalog.read(async |r| session::find_newest(r, session::Kind::Refresh, "alice").await);
    assert_eq!(newest.await.unwrap().map(|found| found.created_at), Some(at(6)));

    // What ends what was proved by an account ends its sessions, and not those of a user of the configuration with the same name.
    let configured = session::New { configured: Some("print".into()), ..new_session("c", "alice", at(99)) };
    let ends: [End; 6] = [
        |tx, id, now| Box::pin(account::set_password(tx, id, "hash", false, now)),
        |tx, id, now| Box::pin(account::set_disabled(tx, id, true, now)),
        |tx, id, now| Box::pin(account::set_valid_after(tx, id, now)),
        |tx, id, now| Box::pin(account::set_totp(tx, id, None, None, now)),
        |tx, _, now| Box::pin(logout::set(tx, "alice", now)),
        |tx, id, _| Box::pin(account::delete(tx, id)),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        begin(new_session("theirs", "alice", at(99)), 7).await;
        begin(configured.clone(), 7).await;
        write(&f, async move |tx| end(tx, id, at(8)).await).await;
        assert_eq!(there("theirs").await, None, "{number}");
        assert_eq!(there("c").await.is_some(), number != 4, "{number}");
        write(&f, async |tx| session::delete(tx, session::Kind::Browser, "c").await).await;
    }
    assert!(there("bobs").await.is_some());
    let logouts = f.catalog.read(async |r| logout::list(r, "", 9).await).await.unwrap();
    assert_eq!(logouts, [logout::Logout { name: "alice".into(), valid_after: at(8) }]);
    write(&f, async move |tx| logout::set(tx, "alice", at(9)).await).await;
    let found = f.catalog.read(async |r| logout::find(r, "alice").await).await.unwrap();
    assert_eq!(found, Some(at(9)));
    assert!(f.catalog.read(async |r| logout::list(r, "alice", 9).await).await.unwrap().is_empty());
}

async fn secrets_that_ended_are_found_for_a_while(on: On) {
    let f = Fixture::new(on).await;
    let (now, id) = (f.now(), make(&f, "alice").await);
    let later = now + SignedDuration::from_secs(60);
    let made = write(&f, async move |tx| {
        let one = app_password::insert(tx, id, "a", "sa", later, now).await?;
        let two = app_password::insert(tx, id, "b", "sb", later, now).await?;
        app_password::insert(tx, id, "c", "sc", later, now).await?;
        app_password::revoke(tx, id, one, now).await?;
        app_password::revoke(tx, id, two, later).await?;
        let new = robot::New {
            name: "robot+ci".into(),
            project: String::new(),
            description: String::new(),
            policies: "[]".into(),
            owner: "alice".into(),
            expires_at: None,
        };
        let robot = robot::insert(tx, &new, now).await?.unwrap();
        let old = robot_secret::insert(tx, robot, "ra", None, now).await?;
        let new = robot_secret::insert(tx, robot, "rb", None, now).await?;
        robot_secret::end_others(tx, robot, new, later).await?;
        Ok((one, two, old))
    });
    let (one, two, old) = made.await;
    let revoked = async |since, after, limit| {
        let found = f.catalog.read(async |r| app_password::list_revoked(r, since, after, limit).await);
        found.await.unwrap()
    };
    let none = app_password::AppPasswordId(0);
    assert_eq!(revoked(now, none, 9).await, [(one, now), (two, later)]);
    assert_eq!(revoked(now, none, 1).await, [(one, now)]);
    assert_eq!(revoked(now, one, 9).await, [(two, later)]);
    assert_eq!(revoked(later, none, 9).await, [(two, later)]);
    let ending =
        f.catalog.read(async |r| robot_secret::list_ending(r, now, robot_secret::RobotSecretId(0), 9).await);
    assert_eq!(ending.await.unwrap(), [(old, later)]);
    let none = f.catalog.read(async |r| robot_secret::list_ending(r, now, old, 9).await).await.unwrap();
    assert!(none.is_empty());
}

async fn sessions_end(on: On) {
    let f = Fixture::new(on).await;
    let now = f.now();
    let begin =
        |secret: &str, seconds| new_session(secret, "alice", now + SignedDuration::from_secs(seconds));
    let (short, long) = (begin("short", 5), begin("long", 9));
    write(&f, async move |tx| {
        session::insert(tx, &short, 2, now).await?;
        session::insert(tx, &long, 2, now).await
    })
    .await;
    let find = async |kind| f.catalog.read(async |r| session::find(r, kind, "short").await).await.unwrap();
    assert_eq!(find(session::Kind::Refresh).await, None);
    let found = find(session::Kind::Browser).await.unwrap();
    let later = now + SignedDuration::from_secs(60);
    assert!(!session::is_news(&found, now) && session::is_news(&found, later));
    write(&f, async move |tx| session::note_use(tx, found.id, later).await).await;
    assert_eq!(find(session::Kind::Browser).await.unwrap().seen_at, later);
    let end = now + SignedDuration::from_secs(6);
    assert_eq!(write(&f, async move |tx| session::forget(tx, end).await).await, 1);
    let delete =
        async || write(&f, async |tx| session::delete(tx, session::Kind::Browser, "long").await).await;
    assert_eq!((delete().await, delete().await), (true, false));
}
