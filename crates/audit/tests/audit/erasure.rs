//! A person is erased: nothing says any more who it was, and the chain is whole.

use std::sync::Arc;

use berth_access::{Access, Caller, Origin, ReadOnly};
use berth_audit::erase::{disown, erase};
use berth_audit::{Config, ERASE};
use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::trail::Record;
use berth_catalog::{Error, account, robot, subject};

use crate::{Fixture, On, eventually, kinds, on_both, pull};

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
    assert_eq!((erased.pseudonym.as_ref(), &erased.finished[..]), (Some(&pseudonym), &[][..]));
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
    assert!(row.is_some_and(|row| row.name.is_none() && row.sealed.is_none() && row.blanked_at.is_some()));
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

/// The name is gone, and the command was killed before the columns were emptied.
async fn interrupted(fixture: &Fixture) -> String {
    let kept = fixture.keep(&Config::default()).await;
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "1"));
    eventually("it is there", async || fixture.records().await.len() == 1).await;
    kept.stop().await;
    let pseudonym = fixture.persons.of("alice").await.unwrap().pseudonym().to_owned();
    // A moment ago.
    let then = fixture.clock.now().saturating_sub(jiff::SignedDuration::from_secs(5)).unwrap();
    let gone = fixture.catalog.write(async move |tx| {
        let gone = subject::erase(tx, "alice", then).await?;
        let event = NewEvent {
            id: uuid::Uuid::new_v4(),
            at: then,
            kind: Kind::Administered,
            repository: None,
            tag: None,
            digest: None,
            author: Author::from("operator:root"),
            detail: serde_json::json!({ "action": ERASE, "subject": gone }),
        };
        event::append(tx, event).await;
        Ok(gone)
    });
    assert_eq!(gone.await.unwrap_or_else(|error: Error| panic!("{error}")), Some(pseudonym.clone()));
    pseudonym
}

fn plain(records: &[Record]) -> usize {
    records.iter().filter(|record| record.entry.client.is_some() || record.entry.agent.is_some()).count()
}

async fn an_erasure_that_was_interrupted_is_found_and_finished(on: On) {
    let fixture = Fixture::new(on).await;
    let pseudonym = interrupted(&fixture).await;
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "erasure unfinished")], "{report:?}");
    let by = Author { name: "operator:root".into(), origin: None };
    let erased = erase(&fixture.catalog, &fixture.trail, "alice", by).await.unwrap().unwrap();
    assert_eq!((erased.pseudonym, erased.finished), (None, vec![pseudonym]));
    assert_eq!(plain(&fixture.records().await), 0);
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");

    let fixture = Fixture::new(on).await;
    interrupted(&fixture).await;
    let kept = fixture.keep(&Config::default()).await;
    eventually("the server finishes it", async || plain(&fixture.records().await) == 0).await;
    kept.stop().await;
    assert!(fixture.verify().await.is_whole());
}

/// Columns that are filled again, long after.
async fn columns_that_tell_of_somebody_erased_are_damage(on: On) {
    let fixture = Fixture::new(on).await;
    interrupted(&fixture).await;
    let (then, long_after) = (fixture.clock.now(), jiff::SignedDuration::from_hours(1));
    let blanked = then.saturating_add(long_after).unwrap();
    let pseudonym = fixture.records().await[0].entry.actor.clone();
    let noted = fixture.catalog.write(async move |tx| subject::blanked(tx, &pseudonym, blanked).await).await;
    noted.unwrap_or_else(|error: Error| panic!("{error}"));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "altered")], "{report:?}");
}

/// What waited on a disk since before the erasure says what was done, and not by whom.
async fn a_spool_does_not_bring_a_name_back(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "before"));
    eventually("the first is there", async || fixture.records().await.len() == 1).await;
    fixture.alter("ALTER TABLE trail_head RENAME TO trail_gone");
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "waited"));
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("bob"), "waited, too"));
    let spooled = || kept.audit.recorder().stats().spooled_bytes;
    eventually("they lie on the disk", async || spooled() > 0).await;
    kept.task.abort();
    let _ = kept.task.await;
    fixture.alter("ALTER TABLE trail_gone RENAME TO trail_head");
    let by = Author { name: "operator:root".into(), origin: None };
    erase(&fixture.catalog, &fixture.trail, "alice", by).await.unwrap().unwrap();
    let persons = berth_access::Persons::new(fixture.catalog.clone(), fixture.vault.clone());
    let fixture = Fixture { persons, ..fixture };
    let again = fixture.keep(&Config::default()).await;
    eventually("all are there", async || fixture.records().await.len() == 4).await;
    again.stop().await;
    let named = fixture.catalog.read(async |r| subject::find(r, "alice").await).await.unwrap();
    assert_eq!(named, None, "nobody is called so again");
    let records = fixture.records().await;
    let waited = records.iter().find(|record| record.entry.tag.as_deref() == Some("waited")).unwrap();
    let entry = &waited.entry;
    assert_eq!(
        (entry.actor.as_str(), entry.kind.as_str(), &entry.client, &entry.personal),
        ("unknown", "unknown", &None, &None)
    );
    assert!(entry.detail.contains(r#""erased":true"#), "{}", entry.detail);
    assert!(fixture.verify().await.is_whole());
}

/// Whoever may log in goes on knowing secrets, whatever logs call the person.
async fn robots_forget_who_made_them_once_nobody_may_log_in_so(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.clock.now();
    let made = fixture.catalog.write(async move |tx| {
        for (name, owner) in [("robot+a", "alice"), ("robot+b", "bob")] {
            let (name, owner) = (name.to_owned(), owner.to_owned());
            let new = robot::New {
                name,
                project: String::new(),
                description: String::new(),
                policies: "[]".to_owned(),
                owner,
                expires_at: None,
            };
            robot::insert(tx, &new, now).await?;
        }
        let known = robot::find(tx, "robot+b").await?;
        robot::set_known_to(tx, known.map(|robot| robot.id).unwrap(), &["alice".into(), "bob".into()])
            .await?;
        let new = account::New {
            name: "bob".to_owned(),
            source: account::Source::Local,
            external: None,
            display_name: None,
            email: None,
            password: None,
            must_change: false,
            groups: Vec::new(),
        };
        account::insert(tx, &new, now).await
    });
    made.await.unwrap_or_else(|error: Error| panic!("{error}"));
    for name in ["alice", "bob"] {
        disown(&fixture.catalog, name).await.unwrap();
    }
    let robots = fixture.catalog.read(async |r| robot::list(r, "", 9).await).await.unwrap();
    let known: Vec<_> = robots.into_iter().map(|robot| (robot.owner, robot.known_to)).collect();
    assert_eq!(known, [(String::new(), vec![]), ("bob".to_owned(), vec!["bob".to_owned()])]);
}

on_both! {
    an_erased_person_is_nobody_and_the_chain_is_whole,
    an_erasure_that_was_interrupted_is_found_and_finished,
    columns_that_tell_of_somebody_erased_are_damage,
    a_spool_does_not_bring_a_name_back,
    robots_forget_who_made_them_once_nobody_may_log_in_so,
}
