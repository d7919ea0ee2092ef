//! A database that goes away: nothing acknowledged is lost, nobody waits for ever, and nodes come back by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_catalog::{Catalog, Clock, Error, PostgresConfig, repository};
use berth_engines::{Link, Postgres, PostgresPair};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::{JoinHandle, block_in_place};

use crate::{Fixture, On, Place, config, eventually, name};

/// Opens a node on the fixture's catalog that reaches the database by a line of its own.
pub(crate) async fn behind(fixture: &Fixture, patience: Duration) -> (Link, Catalog) {
    let Place::Database(url) = &fixture.place else { panic!("no line leads to a file") };
    let server = Postgres::shared().address();
    let link = Link::to(server);
    let url = url.replace(&server.to_string(), &link.address().to_string());
    let config = PostgresConfig { patience, ..config(&url) };
    let node = Catalog::connect(&config, fixture.clock.clone()).await.unwrap();
    (link, node)
}

async fn write(node: &Catalog, text: &str) -> Result<(), Error> {
    let (name, now) = (name(text), node.clock().now());
    node.write(async move |tx| repository::ensure(tx, &name, now).await).await.map(drop)
}

async fn is_there(node: &Catalog, text: &str) -> Result<bool, Error> {
    let name = name(text);
    Ok(node.read(async |r| repository::find(r, &name).await).await?.is_some())
}

/// Writes again and again, and remembers what was acknowledged.
struct Writers {
    acknowledged: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    fn start(node: &Catalog, count: usize) -> Self {
        let acknowledged = Arc::default();
        let tasks = (0..count)
            .map(|writer| tokio::spawn(write_on(node.clone(), writer, Arc::clone(&acknowledged))))
            .collect();
        Self { acknowledged, tasks }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Waits for so many further acknowledgements.
    async fn wait_for(&self, more: usize) {
        let before = self.count();
        eventually("writes go on", async || self.count() >= before + more).await;
    }

    /// Stops, and checks that everything acknowledged is there.
    async fn check(self, node: &Catalog) {
        for task in self.tasks {
            assert!(!task.is_finished(), "a writer met an error that it must not");
            task.abort();
        }
        let acknowledged = self.acknowledged.lock().clone();
        for name in &acknowledged {
            assert!(is_there(node, name).await.unwrap(), "{name} was acknowledged and is lost");
        }
    }
}

async fn write_on(node: Catalog, writer: usize, acknowledged: Arc<Mutex<Vec<String>>>) {
    for n in 0.. {
        let name = format!("w{writer}/n{n}");
        match write(&node, &name).await {
            Ok(()) => acknowledged.lock().push(name),
            Err(Error::Unavailable(_) | Error::Unknown | Error::Busy | Error::Crowded(_)) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_drop_lose_nothing_and_the_pool_heals() {
    let fixture = Fixture::new(On::Postgres).await;
    let (link, node) = behind(&fixture, Duration::from_secs(10)).await;
    let writers = Writers::start(&node, 4);
    for _ in 0..10 {
        writers.wait_for(10).await;
        block_in_place(|| link.drop_connections());
    }
    writers.wait_for(20).await;
    writers.check(&fixture.catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_short_outage_is_waited_out() {
    let fixture = Fixture::new(On::Postgres).await;
    let (link, node) = behind(&fixture, Duration::from_secs(20)).await;
    write(&node, "before").await.unwrap();
    block_in_place(|| link.cut());
    let mend = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        block_in_place(|| link.mend());
    };
    let (written, found, ()) = tokio::join!(write(&node, "during"), is_there(&node, "before"), mend);
    written.unwrap();
    assert!(found.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_long_outage_is_told_after_the_patience_and_ends_by_itself() {
    for frozen in [false, true] {
        let fixture = Fixture::new(On::Postgres).await;
        let (link, node) = behind(&fixture, Duration::from_secs(2)).await;
        write(&node, "before").await.unwrap();
        block_in_place(|| if frozen { link.freeze() } else { link.cut() });
        let start = Instant::now();
        let (written, found) = tokio::join!(write(&node, "during"), is_there(&node, "before"));
        // A frozen line may swallow a commit.
        assert!(
            matches!(written, Err(Error::Unavailable(_) | Error::Unknown)),
            "frozen {frozen}: {written:?}"
        );
        assert!(matches!(found, Err(Error::Unavailable(_))), "frozen {frozen}: {found:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "frozen {frozen}: {:?}", start.elapsed());
        block_in_place(|| link.mend());
        eventually("the node is back", async || write(&node, "after").await.is_ok()).await;
        assert!(is_there(&node, "after").await.unwrap());
    }
}

/// Nobody waits for what has been away for longer than anybody would, and nobody is refused for longer than it is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_old_outage_is_told_at_once_and_its_end_is_noticed_at_once() {
    for frozen in [false, true] {
        let fixture = Fixture::new(On::Postgres).await;
        let (link, node) = behind(&fixture, Duration::from_secs(1)).await;
        write(&node, "before").await.unwrap();
        assert_eq!(node.outage(), None);
        block_in_place(|| if frozen { link.freeze() } else { link.cut() });
        eventually("the outage is old", async || node.outage().is_some_and(|outage| !outage.waited_out))
            .await;
        let start = Instant::now();
        for n in 0..20 {
            let name = format!("n{n}");
            let (written, found) = tokio::join!(write(&node, &name), is_there(&node, "before"));
            assert!(matches!(written, Err(Error::Unavailable(_))), "frozen {frozen}: {written:?}");
            assert!(matches!(found, Err(Error::Unavailable(_))), "frozen {frozen}: {found:?}");
        }
        // Waiting, each of the twenty would have taken a second.
        assert!(start.elapsed() < Duration::from_secs(5), "frozen {frozen}: {:?}", start.elapsed());
        block_in_place(|| link.mend());
        let start = Instant::now();
        while is_there(&node, "before").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let noticed = start.elapsed();
        println!("frozen {frozen}: noticed after {noticed:?}");
        assert!(noticed < Duration::from_secs(1), "frozen {frozen}: {noticed:?}");
        write(&node, "after").await.unwrap();
        assert_eq!(node.outage(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_killed_and_started_again_loses_nothing() {
    let cluster = block_in_place(Postgres::start_new);
    let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
    let node = Catalog::connect(&config(&cluster.database()), clock).await.unwrap();
    let writers = Writers::start(&node, 4);
    for _ in 0..2 {
        writers.wait_for(20).await;
        block_in_place(|| cluster.kill());
        block_in_place(|| cluster.start());
    }
    writers.wait_for(20).await;
    writers.check(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_takes_over_and_writes_go_on() {
    let pair = block_in_place(PostgresPair::start);
    let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
    let url = block_in_place(|| pair.database());
    let config = PostgresConfig { patience: Duration::from_secs(10), ..config(&url) };
    let nodes = [
        Catalog::connect(&config, clock.clone()).await.unwrap(),
        Catalog::connect(&config, clock).await.unwrap(),
    ];
    let writers: Vec<Writers> = nodes.iter().map(|node| Writers::start(node, 2)).collect();
    for writers in &writers {
        writers.wait_for(20).await;
    }
    block_in_place(|| pair.kill_primary());
    // Who asks now waits for the new primary, and meets no error.
    let promote = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        block_in_place(|| pair.promote());
    };
    let (written, found, ()) = tokio::join!(write(&nodes[0], "x"), is_there(&nodes[1], "w0/n0"), promote);
    written.unwrap();
    assert!(found.unwrap());
    for writers in &writers {
        writers.wait_for(20).await;
    }
    for (writers, node) in writers.into_iter().zip(&nodes) {
        writers.check(node).await;
    }
}
