//! The log of many nodes: sealed once, without gaps, whoever dies.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_catalog::event::{self, Kind, NewEvent};
use berth_catalog::{Catalog, Error};
use berth_engines::Link;
use futures_util::future::join_all;

use crate::outage::behind;
use crate::{Fixture, On, eventually};

/// Appends an event, and returns whether it was acknowledged.
async fn append(node: &Catalog, caller: String) -> bool {
    let event = NewEvent {
        id: uuid::Uuid::new_v4(),
        at: node.clock().now(),
        kind: Kind::TagMoved,
        repository: None,
        tag: None,
        digest: None,
        author: caller.as_str().into(),
        detail: serde_json::json!({}),
    };
    let outcome = node
        .write(async move |tx| {
            event::append(tx, event.clone()).await;
            Ok::<_, Error>(())
        })
        .await;
    match outcome {
        Ok(()) => true,
        Err(Error::Unknown | Error::Unavailable(_) | Error::Busy) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_make_one_chain() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = fixture.place.open(fixture.clock.clone()).await.unwrap();
    let appends = (0..400).map(|n| append(if n % 2 == 0 { &fixture.catalog } else { &other }, n.to_string()));
    assert!(join_all(appends).await.into_iter().all(|acknowledged| acknowledged));
    check(&fixture, (0..400).map(|n| n.to_string()).collect(), &BTreeSet::new()).await;
    eventually("the other node hears of it", async || *other.sealed().borrow() == 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_loses_its_connections_breaks_no_chain() {
    let fixture = Fixture::new(On::Postgres).await;
    let (link, other) = behind(&fixture, Duration::from_secs(10)).await;
    let node = |n: usize| if n.is_multiple_of(2) { &fixture.catalog } else { &other };
    let (mut acknowledged, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..12 {
        let appends = (0..40).map(|n| async move {
            let caller = format!("{round}-{n}");
            (append(node(n), caller.clone()).await, caller)
        });
        let cut = async {
            tokio::time::sleep(Duration::from_millis(7 * round)).await;
            drop_connections(&link);
        };
        let (outcomes, ()) = tokio::join!(join_all(appends), cut);
        for (heard, caller) in outcomes {
            if heard { &mut acknowledged } else { &mut doubtful }.insert(caller);
        }
    }
    assert!(acknowledged.len() >= 240, "the node that kept its connections was never in doubt");
    check(&fixture, acknowledged, &doubtful).await;
}

fn drop_connections(link: &Link) {
    tokio::task::block_in_place(|| link.drop_connections());
}

/// Every acknowledged event is in the log once, each doubtful one at most once, no other, and the chain holds.
async fn check(fixture: &Fixture, acknowledged: BTreeSet<String>, doubtful: &BTreeSet<String>) {
    eventually("all is sealed", async || {
        fixture.catalog.read(async |r| event::count_unsealed(r).await).await.unwrap() == 0
    })
    .await;
    let events = fixture.catalog.read(async |r| event::list(r, 0, 10_000).await).await.unwrap();
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert!(positions.iter().copied().eq(1..=i64::try_from(events.len()).unwrap()), "{positions:?}");
    assert_eq!(fixture.catalog.read(async |r| event::verify(r, 100).await).await.unwrap(), None);
    let mut logged = BTreeSet::new();
    for event in events {
        assert!(logged.insert(event.caller.clone()), "{} is there twice", event.caller);
    }
    let missing: Vec<_> = acknowledged.difference(&logged).collect();
    assert!(missing.is_empty(), "acknowledged and not in the log: {missing:?}");
    let strange: Vec<_> = logged
        .iter()
        .filter(|&caller| !acknowledged.contains(caller) && !doubtful.contains(caller))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}
