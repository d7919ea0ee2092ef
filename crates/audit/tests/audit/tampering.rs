//! Somebody with the database in hand: whatever is done to a trail is found, and said where.

use std::time::Duration;

use berth_access::Caller;
use berth_audit::verify::{Request, verify};
use berth_audit::{Config, PublicKey, SignedCheckpoint};
use berth_catalog::Clock;
use berth_catalog::event::Author;
use berth_catalog::trail::{Hash, head};
use jiff::Timestamp;

use crate::{Fixture, On, kinds, on_both, pull};

/// Ten pulls by alice, six events, and a checkpoint of all of it.
async fn kept(on: On) -> (Fixture, SignedCheckpoint) {
    kept_by(Fixture::new(on).await).await
}

async fn kept_by(fixture: Fixture) -> (Fixture, SignedCheckpoint) {
    // One checkpoint only, at the end.
    let config = Config { checkpoint_seconds: u64::MAX, ..Config::default() };
    let audit = fixture.keep(&config).await;
    for n in 0..10 {
        audit.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
    }
    crate::eventually("the pulls are there", async || fixture.records().await.len() == 10).await;
    fixture.events(6, &Author::from("alice")).await;
    crate::eventually("the events are there", async || fixture.records().await.len() == 16).await;
    audit.stop().await;
    let keys = fixture.keys().await;
    let checkpoints = berth_audit::Checkpoints::new(fixture.trail.clone(), keys, &Config::default());
    let signed = checkpoints.take().await.unwrap().unwrap();
    assert_eq!(signed.position, 16);
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.records, report.events, report.compared), (16, 6, 10));
    assert_eq!(report.signed_until, Some(16));
    (fixture, signed)
}

async fn each_change_is_found_where_it_was_made(on: On) {
    let swap = |table: &str| {
        format!(
            "UPDATE {table} SET position = -1 WHERE position = 4; UPDATE {table} SET position = 4 WHERE position = 7;
             UPDATE {table} SET position = 7 WHERE position = -1;"
        )
    };
    let next = "UPDATE trail_record SET position = -position WHERE position IN (4, 5);
                UPDATE trail_record SET position = 9 + position WHERE position < 0;";
    for (tampering, found) in [
        // Nobody is called so, either.
        (
            "UPDATE trail_record SET actor = 'mallory' WHERE position = 3",
            vec![(3, "altered"), (3, "altered")],
        ),
        ("UPDATE trail_record SET tag = NULL WHERE position = 1", vec![(1, "altered")]),
        ("UPDATE trail_record SET detail = '{} ' WHERE position = 10", vec![(10, "altered")]),
        ("UPDATE trail_record SET at = at + 1 WHERE position = 2", vec![(2, "altered")]),
        ("UPDATE trail_record SET status = 404 WHERE position = 2", vec![(2, "altered")]),
        // The hash covers what is sealed; the columns are compared with that.
        ("UPDATE trail_record SET client = '203.0.113.9' WHERE position = 6", vec![(6, "altered")]),
        ("UPDATE trail_record SET agent = NULL WHERE position = 6", vec![(6, "altered")]),
        // Both the chain and the event log tell of a copy that was changed.
        (
            "UPDATE trail_record SET repository = 'library/other' WHERE position = 13",
            vec![(13, "altered"), (13, "altered")],
        ),
        // What searches count, and no record shows.
        ("UPDATE trail_hour SET records = records - 1 WHERE action = 'pull'", vec![(0, "altered")]),
        ("DELETE FROM trail_hour WHERE action = 'push'", vec![(0, "altered")]),
        (
            "INSERT INTO trail_hour (hour, action, outcome, records) VALUES (3600000000, 'login', 'failure', 2)",
            vec![(0, "altered")],
        ),
        ("INSERT INTO trail_hour (hour, action, outcome, records) VALUES (0, 'login', 'failure', 0)", vec![]),
        ("DELETE FROM trail_record WHERE position = 5", vec![(5, "removed")]),
        ("DELETE FROM trail_record WHERE position BETWEEN 2 AND 8", vec![(2, "removed")]),
        ("DELETE FROM trail_record WHERE position = 1", vec![(1, "removed")]),
        (swap("trail_record").as_str(), vec![(4, "re-ordered"), (7, "re-ordered")]),
        (next, vec![(4, "re-ordered"), (5, "re-ordered")]),
    ] {
        let (fixture, _) = kept(on).await;
        fixture.alter(tampering);
        let report = fixture.verify().await;
        assert_eq!(kinds(&report.damage), found, "{tampering}: {report:#?}");
    }
}

/// Which hour it is, is said.
async fn a_count_that_was_changed_is_named(on: On) {
    let (fixture, _) = kept(on).await;
    fixture.alter(
        "INSERT INTO trail_hour (hour, action, outcome, records) VALUES (3600000000, 'login', 'failure', 2)",
    );
    let report = fixture.verify().await;
    assert_eq!(
        report.damage[0].to_string(),
        "altered: searches count 2 records of login with failure in the hour from 1970-01-01T01:00:00Z, and there are 0"
    );
}

async fn a_trail_that_was_cut_off_is_found(on: On) {
    let cut = "DELETE FROM trail_record WHERE position > 10";
    let (fixture, signed) = kept(on).await;
    fixture.alter(cut);
    let report = fixture.verify().await;
    assert!(kinds(&report.damage).contains(&(11, "truncated")), "{report:#?}");
    // The head made to fit, and even the checkpoint removed.
    let hash = fixture.records().await[9].hash;
    fixture.alter(&moved_head(on, 10, &hash));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage)[0], (11, "truncated"), "{report:#?}");
    fixture.alter("DELETE FROM trail_checkpoint");
    let keys = fixture.keys().await.public();
    let request = Request { keys, exported: vec![signed], ..Request::default() };
    let report = verify(&fixture.trail, &request).await.unwrap();
    // Searches still count what was cut off.
    let found = [(11, "truncated"), (16, "removed"), (0, "altered")];
    assert_eq!(kinds(&report.damage), found, "{report:#?}");
}

/// Every start signs, so there is something to miss where nothing is signed.
async fn checkpoints_that_were_all_taken_out_are_missed(on: On) {
    let clock = Clock::manual(Timestamp::from_second(1_750_000_000).unwrap());
    let (fixture, _) = kept_by(Fixture::under(on, clock.clone()).await).await;
    fixture.alter("DELETE FROM trail_checkpoint");
    let report = fixture.verify().await;
    assert!(report.is_whole(), "a server that has just started may not have signed yet: {report:#?}");
    clock.advance(Duration::from_mins(11));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:#?}");
}

/// Somebody computes a whole new chain over what was changed.
async fn a_chain_that_was_made_anew_does_not_fit_what_was_signed(on: On) {
    let (fixture, signed) = kept(on).await;
    fixture.alter("UPDATE trail_record SET tag = 'innocent' WHERE position = 3");
    let records = fixture.records().await;
    let mut hash = records[1].hash;
    for record in &records[2..] {
        hash = record.hash_behind(&hash);
        fixture.alter(&format!(
            "UPDATE trail_record SET hash = {} WHERE position = {}",
            bytes(on, &hash),
            record.position
        ));
    }
    fixture.alter(&moved_head(on, 16, &hash));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(16, "altered")], "{report:#?}");
    assert!(report.damage[0].what.contains("from record 1 to here"), "{report:#?}");
    // With the checkpoint replaced as well: its key is not the one that is pinned.
    fixture.alter(&format!("UPDATE trail_checkpoint SET hash = {}", bytes(on, &hash)));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(16, "forged")], "{report:#?}");
    fixture.alter("DELETE FROM trail_checkpoint");
    let request =
        Request { keys: fixture.keys().await.public(), exported: vec![signed.clone()], ..Request::default() };
    let report = verify(&fixture.trail, &request).await.unwrap();
    // The checkpoint itself is missed, too.
    assert_eq!(kinds(&report.damage), [(16, "removed"), (16, "altered")], "{report:#?}");
    // One that was handed out counts only if the pinned key signed it.
    let other: PublicKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().unwrap();
    let request = Request { keys: vec![other], exported: vec![signed], ..Request::default() };
    let report = verify(&fixture.trail, &request).await.unwrap();
    assert_eq!(kinds(&report.damage), [(16, "forged")], "{report:#?}");
}

async fn a_front_that_was_removed_is_found(on: On) {
    let (fixture, _) = kept(on).await;
    let before = fixture.records().await[4].hash;
    fixture.alter("DELETE FROM trail_record WHERE position <= 5");
    fixture.alter(&format!("UPDATE trail_head SET first = 6, before = {}", bytes(on, &before)));
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(1, "removed")], "{report:#?}");
}

/// Each checkpoint signs the one before, so none can be taken out to hide what it says.
async fn a_checkpoint_that_was_taken_out_is_found(on: On) {
    for (gone, found) in [(16, 17), (17, 18)] {
        let (fixture, signed) = kept(on).await;
        let checkpoints =
            berth_audit::Checkpoints::new(fixture.trail.clone(), fixture.keys().await, &Config::default());
        assert_eq!(checkpoints.take().await.unwrap(), Some(signed), "nothing new, nothing signed anew");
        for position in 17..=18 {
            let by = Author { name: "operator:root".into(), origin: None };
            berth_audit::administer::record(&fixture.trail, "gc", &by, &serde_json::json!({})).await.unwrap();
            assert_eq!(checkpoints.take().await.unwrap().unwrap().position, position);
        }
        assert!(fixture.verify().await.is_whole());
        fixture.alter(&format!("DELETE FROM trail_checkpoint WHERE position = {gone}"));
        let report = fixture.verify().await;
        assert_eq!(kinds(&report.damage), [(found, "removed")], "{report:#?}");
        // And so is one that is made to look like the next of another.
        fixture.alter("UPDATE trail_checkpoint SET previous = hash WHERE position = 18");
        assert!(kinds(&fixture.verify().await.damage).contains(&(18, "forged")));
    }
}

async fn a_copy_that_was_left_out_is_found(on: On) {
    let (fixture, _) = kept(on).await;
    fixture.events(1, &Author::from("mallory")).await;
    // As if that event had been copied.
    fixture.alter("UPDATE trail_head SET event = 7");
    let report = fixture.verify().await;
    assert_eq!(kinds(&report.damage), [(16, "removed")], "{report:#?}");
    let head = fixture.trail.read(async |r| head::find(r).await).await.unwrap();
    assert_eq!(head.event, 7);
}

fn bytes(on: On, hash: &Hash) -> String {
    match on {
        On::Sqlite => format!("x'{hash}'"),
        On::Postgres => format!("decode('{hash}', 'hex')"),
    }
}

fn moved_head(on: On, position: i64, hash: &Hash) -> String {
    format!("UPDATE trail_head SET position = {position}, hash = {}", bytes(on, hash))
}

on_both! {
    each_change_is_found_where_it_was_made,
    a_count_that_was_changed_is_named,
    a_trail_that_was_cut_off_is_found,
    checkpoints_that_were_all_taken_out_are_missed,
    a_chain_that_was_made_anew_does_not_fit_what_was_signed,
    a_front_that_was_removed_is_found,
    a_checkpoint_that_was_taken_out_is_found,
    a_copy_that_was_left_out_is_found,
}
