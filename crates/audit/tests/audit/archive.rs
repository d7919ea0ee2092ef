//! What is too old for the trail goes to archives, and the whole still verifies.

use std::time::Duration;

use berth_access::Caller;
use berth_audit::verify::{Report, Request, verify};
use berth_audit::{Checkpoints, Config, Retain, Retention};
use berth_blobs::Shelf;
use berth_catalog::Clock;
use berth_catalog::event::Author;
use berth_catalog::trail::{self, RetentionDays, Trail, cursor};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::{Fixture, On, eventually, kinds, on_both, pull};

const DAY: Duration = Duration::from_hours(24);

pub(crate) async fn verified(fixture: &Fixture) -> Report {
    let shelf = Shelf::directory(&fixture.directory.path().join("archive"));
    let request = Request {
        keys: fixture.keys().await.public(),
        persons: Some(&fixture.persons),
        catalog: Some(&fixture.catalog),
        archives: Some(&shelf),
        ..Request::default()
    };
    verify(&fixture.trail, &request).await.unwrap()
}

async fn retention(fixture: &Fixture, trail: &Trail) -> Retention {
    let shelf = Shelf::directory(&fixture.directory.path().join("archive"));
    Retention::new(trail.clone(), fixture.keys().await, shelf, RetentionDays::LEAST)
}

async fn archive(fixture: &Fixture) -> u64 {
    let (_go_on, stop) = watch::channel(false);
    retention(fixture, &fixture.trail).await.archive(&stop).await.unwrap()
}

/// Notes five pulls and two events.
async fn record(fixture: &Fixture) {
    let audit = fixture.audit(&Config::default()).await;
    for n in 0..5 {
        audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
    }
    fixture.events(2, &Author::from("alice")).await;
    let (_stop, stopped) = watch::channel(true);
    audit.run(stopped).await.unwrap();
}

/// Appends records like one that is there, dated otherwise.
async fn append(fixture: &Fixture, at: Timestamp, count: usize) {
    let records = fixture.records().await;
    let like = records.into_iter().find(|record| record.entry.event.is_none()).unwrap().entry;
    let entries = vec![trail::Entry { at, ..like }; count];
    let append = async move |tx: &mut berth_catalog::Tx| trail::append(tx, &entries).await;
    let appended: Result<_, berth_catalog::Error> = fixture.trail.write(append).await;
    appended.unwrap();
}

/// Years ahead.
fn future(fixture: &Fixture) -> Timestamp {
    fixture.clock.now().saturating_add(jiff::SignedDuration::from_hours(24 * 3650)).unwrap()
}

/// Three batches, the first two half a year and more old: these are in archives.
pub(crate) async fn aged(on: On) -> Fixture {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = aged_further(Fixture::under(on, clock.clone()).await, &clock).await;
    assert_eq!(fixture.records().await[0].position, 15);
    fixture
}

/// The same behind what is there, which goes to the first archive.
pub(crate) async fn aged_further(fixture: Fixture, clock: &Clock) -> Fixture {
    let more = u64::try_from(fixture.records().await.len()).unwrap();
    record(&fixture).await;
    clock.advance(181 * DAY);
    assert_eq!(archive(&fixture).await, 7 + more);
    record(&fixture).await;
    clock.advance(181 * DAY);
    record(&fixture).await;
    assert_eq!(archive(&fixture).await, 7);
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
    // Changed, cut short, replaced by another that the same key signed.
    for instead in [&flipped[..], &one[..one.len() - 20], &two[..]] {
        std::fs::write(file(1), instead).unwrap();
        let report = verified(&fixture).await;
        assert_eq!(kinds(&report.damage), [(1, "altered")], "{report:?}");
    }
    std::fs::write(file(1), &one).unwrap();
    std::fs::remove_file(file(8)).unwrap();
    let report = verified(&fixture).await;
    assert_eq!(kinds(&report.damage), [(8, "removed")], "{report:?}");
    std::fs::remove_file(file(1)).unwrap();
    std::fs::write(file(8), &two).unwrap();
    let report = verified(&fixture).await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:?}");

    // Made by somebody with another key, and signed for with it.
    let other = aged(on).await;
    let theirs = other.directory.path().join("archive").join(berth_audit::archive::name(1, 7));
    std::fs::copy(theirs, file(1)).unwrap();
    assert_eq!(kinds(&verified(&fixture).await.damage), [(1, "altered")]);
    fixture.alter("UPDATE trail_archive SET kid = 'theirs' WHERE last = 7");
    let report = verified(&fixture).await;
    assert!(kinds(&report.damage).contains(&(1, "forged")), "{report:?}");
    assert!(kinds(&report.damage).contains(&(1, "removed")), "{report:?}");
}

/// The first records, and what says that they were archived: somebody with the database can take neither away.
async fn records_are_not_missed_only_if_it_is_signed_that_they_were_archived(on: On) {
    let fixture = aged(on).await;
    fixture.alter("DELETE FROM trail_archive WHERE last = 7");
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:?}");
    fixture.alter("DELETE FROM trail_archive");
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:?}");
    assert!(report.damage[0].what.contains("records 1 to 14 are gone, and nobody signed"), "{report:?}");

    // More than was archived, with the head and the checkpoints made to fit.
    let fixture = aged(on).await;
    let hash = fixture.records().await[1].hash;
    let hash = if on == On::Sqlite { format!("x'{hash}'") } else { format!("decode('{hash}', 'hex')") };
    fixture.alter(&format!(
        "DELETE FROM trail_record WHERE position <= 16; UPDATE trail_head SET first = 17, before = {hash}"
    ));
    let report = verified(&fixture).await;
    assert_eq!(kinds(&report.damage), [(15, "removed")], "{report:?}");
}

async fn two_nodes_archive_one_after_the_other(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    record(&fixture).await;
    let (_catalog, other) = fixture.other().await;
    // Somebody else is at it.
    let until = clock.now().saturating_add(jiff::SignedDuration::from_hours(200 * 24)).unwrap();
    let now = clock.now();
    let take =
        async move |tx: &mut berth_catalog::Tx| cursor::take(tx, "archive", "other", 0, now, until).await;
    let taken: Result<_, berth_catalog::Error> = fixture.trail.write(take).await;
    assert!(taken.unwrap().is_some());
    clock.advance(181 * DAY);
    assert_eq!(archive(&fixture).await, 0);
    let release = async |tx: &mut berth_catalog::Tx| cursor::release(tx, "archive", "other").await;
    let released: Result<_, berth_catalog::Error> = fixture.trail.write(release).await;
    released.unwrap();
    let (_go_on, stop) = watch::channel(false);
    let (one, two) = (retention(&fixture, &fixture.trail).await, retention(&fixture, &other).await);
    let (one, two) = tokio::join!(one.archive(&stop), two.archive(&stop));
    assert_eq!(one.unwrap() + two.unwrap(), 7);
    // A file that a node wrote and never got signed for overlaps, and is in nobody's way.
    let directory = fixture.directory.path().join("archive");
    let name = |last| directory.join(berth_audit::archive::name(1, last));
    std::fs::copy(name(7), name(5)).unwrap();
    let report = verified(&fixture).await;
    assert!(report.is_whole() && report.archived == 7, "{report:?}");
}

/// More than one archive takes.
const MANY: usize = 20_001;

async fn archiving_stops_between_two_archives(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    record(&fixture).await;
    for _ in 0..MANY.div_ceil(1000) {
        append(&fixture, fixture.clock.now(), 1000).await;
    }
    clock.advance(181 * DAY);
    let (stop, stopped) = watch::channel(false);
    let retention = retention(&fixture, &fixture.trail).await;
    let archiving = tokio::spawn(async move { retention.archive(&stopped).await });
    let first = fixture.directory.path().join("archive").join(berth_audit::archive::name(1, 20_000));
    eventually("the first archive is there", async || first.is_file()).await;
    stop.send_replace(true);
    assert_eq!(archiving.await.unwrap().unwrap(), 20_000);
    assert!(verified(&fixture).await.is_whole());
    assert!(archive(&fixture).await > 1000, "and goes on another time");
}

/// A clock that ran ahead for a while keeps nothing for ever, and nothing goes before its time.
async fn a_record_from_the_future_does_not_stop_retention(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    record(&fixture).await;
    append(&fixture, future(&fixture), 1).await;
    clock.advance(DAY);
    record(&fixture).await;
    // The second batch was signed a day later: only that tells how old the one from the future is.
    clock.advance(179 * DAY + Duration::from_secs(1));
    assert_eq!(archive(&fixture).await, 7);
    clock.advance(DAY);
    assert_eq!(archive(&fixture).await, 8);
    let report = verified(&fixture).await;
    assert!(report.is_whole(), "{report:?}");
}

/// A clock that was set back for a while signs over younger records: that makes none of them old.
async fn a_clock_that_was_set_back_makes_nothing_old(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let fixture = Fixture::under(on, clock.clone()).await;
    record(&fixture).await;
    append(&fixture, future(&fixture), 1).await;
    let back = Clock::manual(Timestamp::from_second(1_000_000_000).unwrap());
    let trail = match &fixture.url {
        Some(_) => crate::open(fixture.directory.path(), fixture.url.as_deref(), &back).await.1,
        None => Trail::join(&fixture.directory.path().join("audit.db"), back).unwrap(),
    };
    let checkpoints = Checkpoints::new(trail, fixture.keys().await, &Config::default());
    assert_eq!(checkpoints.take().await.unwrap().unwrap().position, 8);
    clock.advance(181 * DAY);
    assert_eq!(archive(&fixture).await, 7, "the one from the future stays");
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
    records_are_not_missed_only_if_it_is_signed_that_they_were_archived,
    two_nodes_archive_one_after_the_other,
    archiving_stops_between_two_archives,
    a_record_from_the_future_does_not_stop_retention,
    a_clock_that_was_set_back_makes_nothing_old,
}
