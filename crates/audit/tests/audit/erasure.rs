//! A person is erased: nothing says any more who it was, and the chain is whole.

use std::sync::Arc;

use berth_access::{Access, Caller, Origin, ReadOnly};
use berth_audit::Config;
use berth_audit::erase::erase;
use berth_catalog::event::{self, Author};
use berth_catalog::subject;

use crate::{Fixture, On, eventually, on_both, pull};

async fn an_erased_person_is_nobody_and_the_chain_is_whole(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    let access = Access::new(&berth_access::Config::default(), &ReadOnly::default()).unwrap();
    let access = access.with_persons(fixture.persons.clone());
    let origin = Arc::new(Origin::new([192, 0, 2, 9].into(), Some("skopeo/1"), "req-9"));
    let alice = access.name_in_logs(Caller::user("alice").from(origin)).await;
    fixture.events(1, &alice.author()).await;
    for (n, caller) in
        [Caller::user("alice"), Caller::user("bob"), Caller::user("alice")].into_iter().enumerate()
    {
        kept.audit.recorder().record(pull(fixture.clock.now(), caller, &n.to_string()));
    }
    eventually("all are there", async || fixture.records().await.len() == 4).await;
    let pseudonym = fixture.persons.of("alice").await.unwrap().pseudonym().to_owned();

    let by = Author { name: "operator:root".into(), origin: None };
    let erased = erase(&fixture.catalog, &fixture.trail, "alice", by.clone()).await.unwrap().unwrap();
    assert_eq!(erased.pseudonym, pseudonym);
    eventually("the erasure is recorded", async || fixture.records().await.len() == 5).await;

    let records = fixture.records().await;
    let last = &records[4].entry;
    assert_eq!((last.action.as_str(), last.actor.as_str()), ("erase", "operator:root"));
    assert!(last.detail.contains(&pseudonym), "{}", last.detail);
    for record in &records {
        let shown = record.entry.client.is_some() || record.entry.agent.is_some();
        assert_eq!(shown, record.entry.actor != pseudonym && record.entry.personal.is_some(), "{record:?}");
    }
    let row = fixture.catalog.read(async |r| subject::find_by_pseudonym(r, &pseudonym).await).await.unwrap();
    assert!(row.is_some_and(|row| row.name.is_none() && row.sealed.is_none()));
    let all =
        serde_json::to_string(&fixture.catalog.read(async |r| event::list(r, 0, 10).await).await.unwrap())
            .unwrap();
    assert!(!all.contains("alice") && !all.contains("192.0.2.9"), "{all}");
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.records, report.erased, report.compared), (5, 3, 1));

    // Who logs in under the name later is somebody else.
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "later"));
    eventually("it is there", async || fixture.records().await.len() == 6).await;
    assert_ne!(fixture.records().await[5].entry.actor, pseudonym);
    assert_eq!(erase(&fixture.catalog, &fixture.trail, "carol", by.clone()).await.unwrap(), None);
    assert_eq!(erase(&fixture.catalog, &fixture.trail, ":nobody", by).await.unwrap(), None);
    kept.stop().await;
    assert!(fixture.verify().await.is_whole());
}

on_both! {
    an_erased_person_is_nobody_and_the_chain_is_whole,
}
