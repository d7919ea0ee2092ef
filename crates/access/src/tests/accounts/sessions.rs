//! Sessions of browsers.

use super::{Fixture, On, eventually, on_both};
use crate::{Config, SessionRules};

on_both!(a_session_ends_when_it_is_idle_or_old_or_told_to);

async fn a_session_ends_when_it_is_idle_or_old_or_told_to(on: On) {
    let sessions = SessionRules { idle_minutes: 10, absolute_hours: 1 };
    let f = Fixture::with(on, Config { sessions, ..Config::default() }).await;
    f.add("alice").await;
    let alice = f.log_in("alice", super::PASSWORD).await.unwrap();
    let sessions = f.accounts.sessions();
    let begin = async || sessions.begin(&alice).await.unwrap();
    let (used, idle, ended) = (begin().await, begin().await, begin().await);
    let goes_on = async |secret: &crate::RandomSecret| sessions.resume(secret.reveal()).await.unwrap();
    let resumed = goes_on(&used).await.unwrap();
    assert_eq!((resumed.caller, resumed.began_at), (alice.clone(), f.clock.now()));
    assert!(sessions.end(ended.reveal()).await.unwrap() && !sessions.end(ended.reveal()).await.unwrap());
    assert_eq!(goes_on(&ended).await, None);
    for _ in 0..6 {
        f.pass(570);
        assert!(goes_on(&used).await.is_some());
        // The use is noted behind the answer.
        let unchanged = f.clock.now();
        eventually("the use is noted", async || seen(&f, &used).await == unchanged).await;
    }
    assert_eq!(goes_on(&idle).await, None, "nobody used it");
    f.pass(180);
    assert_eq!(goes_on(&used).await, None, "an hour is over");
    for wrong in ["", "berth_s_", "x", used.reveal().trim_end_matches(char::is_alphanumeric)] {
        assert_eq!(sessions.resume(wrong).await.unwrap(), None, "{wrong}");
    }
    begin().await;
    let kept = f.catalog.read(async |r| {
        berth_catalog::session::find(r, berth_catalog::session::Kind::Browser, &used.hash()).await
    });
    assert_eq!(kept.await.unwrap(), None, "what is over is cleared away");
}

async fn seen(f: &Fixture, secret: &crate::RandomSecret) -> jiff::Timestamp {
    let hash = secret.hash();
    let found = f
        .catalog
        .read(async |r| berth_catalog::session::find(r, berth_catalog::session::Kind::Browser, &hash).await);
    found.await.unwrap().unwrap().seen_at
}
