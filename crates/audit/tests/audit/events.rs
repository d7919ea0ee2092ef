//! Events become records: each once, whoever copies, whoever dies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_access::{Access, Caller, Origin, ReadOnly};
use berth_audit::{Config, Follower, of_event};
use berth_catalog::event::{self, Author};
use berth_catalog::trail::head;
use tokio::sync::watch;

use crate::{Fixture, On, eventually, on_both};

/// Somebody whom the access room has named in logs, as it does for each request.
async fn author(fixture: &Fixture, caller: Caller) -> Author {
    let access = Access::new(&berth_access::Config::default(), &ReadOnly::default()).unwrap();
    let access = access.with_persons(fixture.persons.clone());
    let origin = Origin::new([192, 0, 2, 9].into(), Some("skopeo/1"), "req-9");
    access.name_in_logs(caller.from(Arc::new(origin))).await.author()
}

async fn an_event_says_who_and_where_to_those_who_may_know(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    for caller in [Caller::user("alice"), Caller::anonymous()] {
        let author = author(&fixture, caller).await;
        fixture.events(1, &author).await;
    }
    let events = fixture.catalog.read(async |r| event::list(r, 0, 10).await).await.unwrap();
    let logged = serde_json::to_string(&events).unwrap();
    for personal in ["alice", "192.0.2.9", "skopeo"] {
        assert!(!logged.contains(personal), "{personal} lies in the event log: {logged}");
    }
    eventually("they are copied", async || fixture.records().await.len() == 2).await;
    let records = fixture.records().await;
    for (record, (actor, kind, proof)) in records.iter().zip([
        (fixture.persons.of("alice").await.unwrap().pseudonym(), "user", "password"),
        ("anonymous", "anonymous", "none"),
    ]) {
        let entry = &record.entry;
        assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("push", actor));
        assert_eq!((entry.kind.as_str(), entry.proof.as_str()), (kind, proof));
        assert_eq!((entry.client.as_deref(), entry.agent.as_deref()), (Some("192.0.2.9"), Some("skopeo/1")));
        assert_eq!(entry.request_id.as_deref(), Some("req-9"));
        assert_eq!((entry.project.as_deref(), entry.tag.as_deref()), (Some("library"), Some("v0")));
        assert!(!entry.detail.contains("origin") && entry.detail.contains("tag_moved"), "{}", entry.detail);
    }
    assert_eq!(of_event(&events[0]).id, records[0].entry.id);
    kept.stop().await;
    let report = fixture.verify().await;
    assert!(report.is_whole() && report.compared == 2 && report.events == 2, "{report:?}");
}

async fn an_event_is_copied_within_a_second(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    fixture.events(1, &Author::from("alice")).await;
    eventually("the first is there", async || fixture.records().await.len() == 1).await;
    let begun = Instant::now();
    fixture.events(1, &Author::from("alice")).await;
    eventually("it is copied", async || fixture.records().await.len() == 2).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(kept.audit.lag().await.unwrap(), 0);
    kept.stop().await;
}

/// Followers are ended in the middle again and again; another goes on.
async fn events_are_copied_once_over_crashes(on: On) {
    let fixture = Fixture::new(on).await;
    let (catalog, trail) = fixture.other().await;
    let others = Follower::new(catalog, trail, fixture.persons.clone());
    let (_stop, stopped) = watch::channel(false);
    for round in 0..12_u64 {
        let tasks =
            [fixture.follower(), others.clone()].map(|follower| tokio::spawn(follower.run(stopped.clone())));
        fixture.events(25, &Author::from("alice")).await;
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
    }
    fixture.follower().copy().await.unwrap();
    let copied: Vec<_> = fixture.records().await.iter().filter_map(|record| record.entry.event).collect();
    assert_eq!(copied, (1..=300).collect::<Vec<_>>());
    assert_eq!(fixture.trail.read(async |r| head::find(r).await).await.unwrap().event, 300);
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
}

/// Two nodes record at the same time.
async fn batches_of_two_nodes_make_one_chain(on: On) {
    let fixture = Fixture::new(on).await;
    let one = fixture.keep(&Config::default()).await;
    let (catalog, trail) = fixture.other().await;
    let persons = berth_access::Persons::new(catalog.clone(), fixture.vault.clone());
    let place = berth_audit::Place::default();
    let vault = fixture.vault.clone();
    let other =
        berth_audit::Audit::open(&Config::default(), &catalog, trail, persons, vault, place).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(other.clone().run(stopped));
    for n in 0..1500 {
        for recorder in [one.audit.recorder(), other.recorder()] {
            recorder.record(crate::pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
        }
        if n % 100 == 0 {
            fixture.events(1, &Author::from("alice")).await;
        }
    }
    stop.send_replace(true);
    task.await.unwrap().unwrap();
    one.stop().await;
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.records, report.events), (3015, 15));
    assert_eq!(report.signed_until, Some(3015));
}

on_both! {
    an_event_says_who_and_where_to_those_who_may_know,
    an_event_is_copied_within_a_second,
    events_are_copied_once_over_crashes,
    batches_of_two_nodes_make_one_chain,
}
