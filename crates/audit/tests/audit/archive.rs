//! What is too old for the trail goes to archives, and the whole still verifies.

use std::time::Duration;

use berth_access::Caller;
use berth_audit::verify::{Report, Request, verify};
use berth_audit::{Checkpoints, Config, Retain, Retention};
use berth_blobs::Shelf;
use berth_catalog::Clock;
use berth_catalog::event::Author;
use berth_catalog::trail::RetentionDays;
use jiff::Timestamp;

use crate::{Fixture, On, kinds, on_both, pull};

const DAY: Duration = Duration::from_hours(24);

async fn verified(fixture: &Fixture) -> Report {
    let directory = fixture.directory.path().join("archive");
    let request = Request {
        keys: fixture.keys().await.public(),
        persons: Some(&fixture.persons),
        catalog: Some(&fixture.catalog),
        archives: Some(&directory),
        ..Request::default()
    };
    verify(&fixture.trail, &request).await.unwrap()
}

async fn archive(fixture: &Fixture) -> u64 {
    let keys = fixture.keys().await;
    let checkpoints = Checkpoints::new(fixture.trail.clone(), keys.clone(), &Config::default());
    let shelf = Shelf::directory(&fixture.directory.path().join("archive"));
    Retention::new(fixture.trail.clone(), checkpoints, keys, shelf, RetentionDays::LEAST)
        .archive()
        .await
        .unwrap()
}

/// Notes five pulls and two events.
async fn record(fixture: &Fixture) {
    let audit = fixture.audit(&Config::default()).await;
    for n in 0..5 {
        audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
    }
    fixture.events(2, &Author::from("alice")).await;
    let (_stop, stopped) = tokio::sync::watch::channel(true);
    audit.run(stopped).await.unwrap();
}

/// Three batches, the first two half a year and more old: these are in archives.
async fn aged(on: On) -> Fixture {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    record(&fixture).await;
    clock.advance(181 * DAY);
    assert_eq!(archive(&fixture).await, 7);
    record(&fixture).await;
    clock.advance(181 * DAY);
    // Whoever keeps the trail looks for what is old.
    record(&fixture).await;
    assert_eq!(archive(&fixture).await, 0);
    fixture
}

async fn old_records_go_to_archives_and_the_whole_verifies(on: On) {
    let fixture = aged(on).await;
    assert_eq!(fixture.records().await[0].position, 15);
    let report = verified(&fixture).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.archived, report.records, report.first), (14, 7, 15));
    let alone = fixture.verify().await;
    assert!(alone.is_whole(), "{alone:?}");
    assert!(alone.unchecked[0].contains("records 1 to 14 are archived"), "{alone:?}");
    for file in std::fs::read_dir(fixture.directory.path().join("archive")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !berth_audit::archive::is_name(&name) {
            continue;
        }
        let archive = berth_audit::archive::read(&name, &std::fs::read(path).unwrap()).unwrap();
        let personal = archive.records.iter().filter(|record| record.entry.personal.is_some());
        assert!(personal.clone().count() > 0);
        assert!(personal.clone().all(|record| record.entry.client.is_none() && record.entry.agent.is_none()));
    }
}

async fn what_is_done_to_archives_is_found(on: On) {
    let fixture = aged(on).await;
    let directory = fixture.directory.path().join("archive");
    let file =
        |first: i64| directory.join(berth_audit::archive::name(first, if first == 1 { 7 } else { 14 }));
    let (one, two) = (std::fs::read(file(1)).unwrap(), std::fs::read(file(8)).unwrap());

    let mut flipped = one.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(file(1), &flipped).unwrap();
    let report = verified(&fixture).await;
    assert_eq!(kinds(&report.damage)[0], (1, "altered"), "{report:?}");

    std::fs::write(file(1), &one[..one.len() - 20]).unwrap();
    assert_eq!(kinds(&verified(&fixture).await.damage)[0], (1, "altered"));

    std::fs::write(file(1), &one).unwrap();
    std::fs::remove_file(file(8)).unwrap();
    let report = verified(&fixture).await;
    // Two events were in there.
    assert_eq!(kinds(&report.damage), [(8, "removed"), (20, "removed")], "{report:?}");

    std::fs::remove_file(file(1)).unwrap();
    std::fs::write(file(8), &two).unwrap();
    let report = verified(&fixture).await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:?}");

    // Made by somebody with another key.
    let other = aged(on).await;
    let theirs = other.directory.path().join("archive").join(berth_audit::archive::name(1, 7));
    std::fs::copy(theirs, file(1)).unwrap();
    let report = verified(&fixture).await;
    assert!(kinds(&report.damage).contains(&(1, "forged")), "{report:?}");
}

#[test]
fn less_than_half_a_year_can_not_be_said() {
    let say = |days: &str| serde_json::from_str::<Config>(&format!(r#"{{"retention_days": {days}}}"#));
    let refused = say("179").unwrap_err().to_string();
    assert!(refused.contains("records stay for 180 days or longer"), "{refused}");
    for wrong in ["0", "-1", "\"never\"", "null"] {
        assert!(say(wrong).is_err(), "{wrong}");
    }
    assert_eq!(say("365").unwrap().retention_days, Retain::try_from(365).unwrap());
    assert_eq!(Config::default().retention_days.0, RetentionDays::LEAST);
}

on_both! {
    old_records_go_to_archives_and_the_whole_verifies,
    what_is_done_to_archives_is_found,
}
