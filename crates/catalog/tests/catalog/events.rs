//! The event log: every event once, in order, and no change to it unseen.

use berth_catalog::event::{self, Kind, NewEvent};
use berth_catalog::{Error, repository};

use crate::{Fixture, name};

fn event_of(fixture: &Fixture, caller: &str) -> NewEvent {
    NewEvent {
        id: uuid::Uuid::new_v4(),
        at: fixture.now(),
        kind: Kind::TagMoved,
        repository: Some(name("library/app")),
        tag: Some("1".parse().unwrap()),
        digest: None,
        caller: caller.into(),
        detail: serde_json::json!({ "previous": null }),
    }
}

async fn append(fixture: &Fixture, count: usize) {
    let units = (0..count).map(|n| {
        let event = event_of(fixture, &n.to_string());
        fixture.catalog.write(async move |tx| {
            event::append(tx, event).await;
            Ok::<_, Error>(())
        })
    });
    assert!(futures_util::future::join_all(units).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn positions_have_no_gaps_and_the_chain_holds() {
    let fixture = Fixture::new();
    append(&fixture, 100).await;
    let events = fixture.catalog.read(async |r| event::list(r, 0, 1000).await).await.unwrap();
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=100).collect::<Vec<_>>());
    assert_eq!(fixture.catalog.read(async |r| event::verify(r, 7).await).await.unwrap(), None);
    assert_eq!(*fixture.catalog.sealed().borrow(), 100);
}

#[tokio::test]
async fn an_undone_unit_leaves_no_event() {
    let fixture = Fixture::new();
    let (event, now) = (event_of(&fixture, "x"), fixture.now());
    let undone = fixture
        .catalog
        .write(async move |tx| {
            repository::ensure(tx, &name("gone"), now).await?;
            event::append(tx, event).await;
            Err::<(), _>(Error::Closed)
        })
        .await;
    assert!(undone.is_err());
    append(&fixture, 1).await;
    let events = fixture.catalog.read(async |r| event::list(r, 0, 10).await).await.unwrap();
    assert_eq!(events.iter().map(|event| event.caller.as_str()).collect::<Vec<_>>(), ["0"]);
}

#[tokio::test]
async fn altering_removing_and_reordering_are_found() {
    for (tampering, first_wrong) in [
        ("UPDATE event SET caller = 'mallory' WHERE position = 5", 5),
        ("UPDATE event SET tag = NULL WHERE position = 1", 1),
        ("DELETE FROM event WHERE position = 3", 3),
        (
            "UPDATE event SET position = -1 WHERE position = 7;
             UPDATE event SET position = 7 WHERE position = 8;
             UPDATE event SET position = 8 WHERE position = -1;",
            7,
        ),
    ] {
        let fixture = Fixture::new();
        append(&fixture, 10).await;
        fixture.raw().execute_batch(tampering).unwrap();
        let found = fixture.catalog.read(async |r| event::verify(r, 4).await).await.unwrap();
        assert_eq!(found, Some(first_wrong), "{tampering}");
    }
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let fixture = Fixture::new();
    append(&fixture, 3).await;
    let Fixture { catalog, clock, dir } = fixture;
    drop(catalog);
    let catalog = berth_catalog::Catalog::open(&dir.path().join("catalog.db"), clock.clone()).unwrap();
    let fixture = Fixture { catalog, clock, dir };
    append(&fixture, 3).await;
    assert_eq!(fixture.catalog.read(async |r| event::last(r).await).await.unwrap().0, 6);
    assert_eq!(fixture.catalog.read(async |r| event::verify(r, 100).await).await.unwrap(), None);
}
