//! Sessions as rows, and what ends them.

use berth_catalog::account::{self, AccountId};
use berth_catalog::{Error, Tx, logout, session};
use jiff::{SignedDuration, Timestamp};

use crate::accounts::{make, write};
use crate::{Fixture, On, on_both};

on_both!(sessions_end, a_users_sessions_are_few_and_end_together);

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
