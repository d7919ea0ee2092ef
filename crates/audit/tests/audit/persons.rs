//! Somebody with the catalog in hand, too: whom the trail names can't be made nobody.

use berth_access::Caller;
use berth_audit::erase::erase;
use berth_audit::{Action, Config, ERASE, Note, Outcome, Who};
use berth_catalog::Clock;
use berth_catalog::event::Author;
use jiff::Timestamp;

use crate::archive::{aged, aged_further, verified};
use crate::{Fixture, On, eventually, kinds, on_both, pull};

/// Two pulls by alice, one by whoever, and a login that failed.
async fn recorded(on: On) -> Fixture {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    let recorder = kept.audit.recorder();
    for (n, caller) in [Caller::user("alice"), Caller::anonymous(), Caller::user("alice")].iter().enumerate()
    {
        recorder.record(pull(fixture.clock.now(), caller.clone(), &n.to_string()));
        eventually("it is there", async || fixture.records().await.len() == n + 1).await;
    }
    let failed = Note {
        action: Action::Login,
        outcome: Outcome::Failure,
        who: Who::Claimed(Some("mallory".into())),
        ..pull(fixture.clock.now(), Caller::anonymous(), "login")
    };
    recorder.record(failed);
    eventually("all are there", async || fixture.records().await.len() == 4).await;
    kept.stop().await;
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.compared, report.erased), (4, 0));
    fixture
}

/// Without the key nothing would prove what the columns say.
async fn a_person_who_was_taken_out_of_the_catalog_is_missed(on: On) {
    for (gone, found) in [("alice", 1), (":nobody", 2)] {
        let fixture = recorded(on).await;
        fixture.alter_catalog(&format!("DELETE FROM subject WHERE name = '{gone}'"));
        let report = fixture.verify().await;
        assert_eq!(kinds(&report.damage), [(found, "altered")], "{gone}: {report:#?}");
        fixture.alter("UPDATE trail_record SET client = '10.0.0.9', agent = 'curl'");
        let report = fixture.verify().await;
        assert!(kinds(&report.damage).contains(&(found, "altered")), "{gone}: {report:#?}");
        assert!(report.damage.iter().any(|damage| damage.what.contains("taken out of the catalog")));
        assert_eq!(report.erased, 0);
    }
}

async fn one_whom_archives_name_is_missed_too(on: On) {
    let fixture = aged(on).await;
    fixture.alter_catalog("DELETE FROM subject WHERE name = 'alice'");
    let report = verified(&fixture).await;
    let [damage] = &report.damage[..] else { panic!("{report:#?}") };
    assert!(damage.position <= 7 && damage.what.contains("taken out of the catalog"), "{damage}");
}

/// Whoever can write to the catalog gives what one did to another.
async fn a_person_who_got_anothers_name_is_missed(on: On) {
    let fixture = recorded(on).await;
    fixture.persons.of("bob").await.unwrap();
    fixture.alter_catalog("UPDATE subject SET name = 'carol' WHERE name = 'bob'");
    fixture.alter_catalog("UPDATE subject SET name = 'bob' WHERE name = 'alice'");
    fixture.alter_catalog("UPDATE subject SET name = 'alice' WHERE name = 'carol'");
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "altered")], "{report:#?}");
    assert!(report.damage[0].what.contains("another name"), "{report:#?}");
}

/// As an erasure does it, but for the record of it.
const ERASED: &str = "UPDATE subject SET name = NULL, sealed = NULL, erased_at = 1, blanked_at = 4000000000
                       WHERE name = 'alice'";
const BLANKED: &str = "UPDATE trail_record SET client = NULL, agent = NULL WHERE kind = 'user'";

async fn a_person_who_was_erased_without_a_trace_is_missed(on: On) {
    let fixture = recorded(on).await;
    let alice = fixture.persons.of("alice").await.unwrap().pseudonym().to_owned();
    fixture.alter_catalog(ERASED);
    fixture.alter(BLANKED);
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(0, "removed")], "{report:#?}");
    assert!(
        report.damage[0].to_string().starts_with(&format!("removed: {alice} has no name")),
        "{report:#?}"
    );
    // Nor by halves: a key alone says no name.
    let fixture = recorded(on).await;
    fixture.alter_catalog("UPDATE subject SET name = NULL WHERE name = 'alice'");
    assert_eq!(kinds(&fixture.verify().await.damage), [(1, "altered"), (0, "removed")]);
}

/// Whoever restores an older point records whom later points know to be erased.
async fn an_erasure_is_known_by_its_record_or_by_its_event(on: On) {
    let fixture = recorded(on).await;
    let alice = fixture.persons.of("alice").await.unwrap().pseudonym().to_owned();
    let by = Author { name: "operator:root".into(), origin: None };
    let erased = erase(&fixture.catalog, &fixture.trail, "alice", by.clone()).await.unwrap().unwrap();
    assert_eq!(erased.pseudonym, Some(alice));
    assert_eq!(fixture.records().await.len(), 4, "nobody has copied the event yet");
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:#?}");

    let fixture = recorded(on).await;
    let alice = fixture.persons.of("alice").await.unwrap().pseudonym().to_owned();
    fixture.alter_catalog(ERASED);
    fixture.alter(BLANKED);
    let detail = serde_json::json!({ "subject": alice, "point": "20260501T120000Z" });
    berth_audit::administer::record(&fixture.trail, ERASE, &by, &detail).await.unwrap();
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:#?}");
}

/// Archives that are at hand have to tell; those that are not may.
async fn an_archive_tells_of_an_erasure(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    let by = Author { name: "operator:root".into(), origin: None };
    let bob = fixture.persons.of("bob").await.unwrap().pseudonym().to_owned();
    fixture.alter_catalog(&ERASED.replace("alice", "bob"));
    let detail = serde_json::json!({ "subject": bob });
    berth_audit::administer::record(&fixture.trail, ERASE, &by, &detail).await.unwrap();
    let fixture = aged_further(fixture, &clock).await;
    let report = verified(&fixture).await;
    assert!(report.is_whole() && report.archived > 0, "{report:#?}");
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:#?}");
    assert!(report.unchecked.iter().any(|text| text.contains("1 persons were erased")), "{report:#?}");
}

/// After a move the old side adds nobody, and the new side would miss whom only its memory knew.
#[tokio::test]
async fn who_comes_first_to_a_catalog_that_has_moved_is_nobody_in_particular() {
    let fixture = Fixture::new(On::Sqlite).await;
    let kept = fixture.keep(&Config::default()).await;
    let refused = berth_catalog::Error::Moved;
    fixture.alter_catalog(&format!(
        "CREATE TRIGGER moved_subject BEFORE INSERT ON subject BEGIN SELECT RAISE(ABORT, '{refused}'); END"
    ));
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("carol"), "1"));
    eventually("it is there", async || fixture.records().await.len() == 1).await;
    kept.stop().await;
    let entry = &fixture.records().await[0].entry;
    assert_eq!((entry.actor.as_str(), entry.kind.as_str()), ("unknown", "unknown"));
    assert!(entry.detail.contains("claimed"), "{}", entry.detail);
    let report = fixture.verify().await;
    assert!(report.is_whole() && report.compared == 1, "{report:?}");
}

on_both! {
    a_person_who_was_taken_out_of_the_catalog_is_missed,
    a_person_who_got_anothers_name_is_missed,
    one_whom_archives_name_is_missed_too,
    a_person_who_was_erased_without_a_trace_is_missed,
    an_erasure_is_known_by_its_record_or_by_its_event,
    an_archive_tells_of_an_erasure,
}
