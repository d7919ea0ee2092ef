//! When records have no room: counted as lost, or requests refused before it comes to that.

use std::time::Duration;

use berth_access::Caller;
use berth_audit::{Config, Recorder};
use jiff::Timestamp;

use crate::{BREAK, Fixture, MEND, On, eventually, on_both, pull};

async fn what_has_no_room_is_counted(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.alter(BREAK);
    let config = Config { queue: 1000, spool_bytes: 10, ..Config::default() };
    let kept = fixture.keep(&config).await;
    let recorder = kept.audit.recorder().clone();
    for n in 0..3000 {
        recorder.record(pull(fixture.clock.now(), Caller::anonymous(), &n.to_string()));
    }
    eventually("the rest is counted as lost", async || recorder.stats().dropped == 2000).await;
    assert!(!recorder.refuses(), "the registry goes on");
    fixture.alter(MEND);
    eventually("what was held is written", async || fixture.records().await.len() == 1000).await;
    kept.stop().await;
}

async fn what_has_no_room_is_refused_before(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.alter(BREAK);
    let config = Config { queue: 1000, strict: true, spool_bytes: 10, ..Config::default() };
    let kept = fixture.keep(&config).await;
    let recorder = kept.audit.recorder().clone();
    assert!(!recorder.refuses());
    for n in 0..900 {
        recorder.record(pull(fixture.clock.now(), Caller::anonymous(), &n.to_string()));
    }
    eventually("requests are refused", async || recorder.refuses()).await;
    // Those that were let in before end after that.
    for n in 900..3000 {
        recorder.record(pull(fixture.clock.now(), Caller::anonymous(), &n.to_string()));
    }
    eventually("all are taken over", async || recorder.stats().waiting == 3000).await;
    fixture.alter(MEND);
    eventually("all are written", async || fixture.records().await.len() == 3000).await;
    eventually("requests are taken again", async || !recorder.refuses()).await;
    assert_eq!(recorder.stats().dropped, 0);
    kept.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_before_any_write_fails() {
    let strict = Recorder::new(&Config { queue: 1000, strict: true, ..Config::default() });
    let lax = Recorder::new(&Config { queue: 1000, ..Config::default() });
    for n in 0..1000 {
        assert!(!strict.refuses(), "{n}");
        for recorder in [&strict, &lax] {
            recorder.record(pull(Timestamp::UNIX_EPOCH, Caller::anonymous(), &n.to_string()));
        }
    }
    assert!(strict.refuses());
    assert!(!lax.refuses());
}

#[tokio::test]
async fn nothing_is_let_in_when_the_one_who_writes_is_gone() {
    let fixture = Fixture::new(On::Sqlite).await;
    let audit = fixture.audit(&Config { strict: true, ..Config::default() }).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(audit.clone().run(stopped));
    assert!(!audit.recorder().refuses());
    tokio::time::sleep(Duration::from_millis(50)).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(audit.recorder().refuses());
    // What happened until then is written by who ends the process.
    audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "1"));
    stop.send_replace(true);
    audit.run(stop.subscribe()).await.unwrap();
    assert_eq!(fixture.records().await.len(), 1);
}

on_both!(what_has_no_room_is_counted, what_has_no_room_is_refused_before);
