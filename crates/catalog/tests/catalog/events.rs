//! The event log: every event once, in order, and no change to it unseen.

use berth_catalog::event::{self, Kind, NewEvent};
use berth_catalog::{Error, repository};

use crate::{Fixture, On, name, on_both};

fn event_of(fixture: &Fixture, caller: &str) -> NewEvent {
    NewEvent {
        id: uuid::Uuid::new_v4(),
        at: fixture.now(),
        kind: Kind::TagMoved,
        repository: Some(name("library/app")),
        tag: Some("1".parse().unwrap()),
        digest: None,
        author: caller.into(),
        detail: serde_json::json!({ "previous": null }),
    }
}

async fn append(fixture: &Fixture, count: usize) {
    let units = (0..count).map(|n| {
        let event = event_of(fixture, &n.to_string());
        fixture.catalog.write(async move |tx| {
            event::append(tx, event.clone()).await;
            Ok::<_, Error>(())
        })
    });
    let outcomes = futures_util::future::join_all(units).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

async fn positions_have_no_gaps_and_the_chain_holds(on: On) {
    let fixture = Fixture::new(on).await;
    append(&fixture, 100).await;
    fixture.wait_until_sealed(100).await;
    let events = fixture.catalog.read(async |r| event::list(r, 0, 1000).await).await.unwrap();
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=100).collect::<Vec<_>>());
    assert_eq!(fixture.catalog.read(async |r| event::verify(r, 7).await).await.unwrap(), None);
    assert_eq!(*fixture.catalog.sealed().borrow(), 100);
}

async fn an_undone_unit_leaves_no_event(on: On) {
    let fixture = Fixture::new(on).await;
    let (event, now) = (event_of(&fixture, "x"), fixture.now());
    let undone = fixture
        .catalog
        .write(async move |tx| {
            repository::ensure(tx, &name("gone"), now).await?;
            event::append(tx, event.clone()).await;
            Err::<(), _>(Error::Closed)
        })
        .await;
    assert!(undone.is_err());
    append(&fixture, 1).await;
    fixture.wait_until_sealed(1).await;
    let events = fixture.catalog.read(async |r| event::list(r, 0, 10).await).await.unwrap();
    assert_eq!(events.iter().map(|event| event.caller.as_str()).collect::<Vec<_>>(), ["0"]);
}

async fn altering_removing_and_reordering_are_found(on: On) {
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
        let fixture = Fixture::new(on).await;
        append(&fixture, 10).await;
        fixture.wait_until_sealed(10).await;
        fixture.alter(tampering);
        let found = fixture.catalog.read(async |r| event::verify(r, 4).await).await.unwrap();
        assert_eq!(found, Some(first_wrong), "{tampering}");
    }
}

async fn the_chain_goes_on_after_a_restart(on: On) {
    let fixture = Fixture::new(on).await;
    append(&fixture, 3).await;
    let fixture = fixture.restart().await;
    append(&fixture, 3).await;
    fixture.wait_until_sealed(6).await;
    assert_eq!(fixture.catalog.read(async |r| event::last(r).await).await.unwrap().0, 6);
    assert_eq!(fixture.catalog.read(async |r| event::verify(r, 100).await).await.unwrap(), None);
}

on_both! {
    positions_have_no_gaps_and_the_chain_holds,
    an_undone_unit_leaves_no_event,
    altering_removing_and_reordering_are_found,
    the_chain_goes_on_after_a_restart,
}
