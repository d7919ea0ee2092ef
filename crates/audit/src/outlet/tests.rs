use std::sync::Arc;
use std::time::Duration;

use berth_catalog::trail::{self, Entry, Trail, cursor};
use berth_catalog::{Catalog, Clock, PostgresConfig};
use berth_engines::Postgres;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{Lines, LinesTo, Outlet, Sink, Start, Undelivered};

const PATIENCE: Duration = Duration::from_mins(1);

/// A trail that grows.
struct Fixture {
    catalog: Catalog,
    trail: Trail,
    clock: Clock,
    directory: TempDir,
}

impl Fixture {
    async fn new(on_postgres: bool) -> Self {
        let clock = Clock::manual("2026-11-27T10:00:00Z".parse().unwrap());
        let directory = TempDir::new().unwrap();
        let (catalog, trail) = if on_postgres {
            let settings = PostgresConfig { pool: 4, ..PostgresConfig::new(Postgres::shared().database()) };
            let catalog = Catalog::connect(&settings, clock.clone()).await.unwrap();
            (catalog, Trail::connect(&settings, clock.clone()).await.unwrap())
        } else {
            let file = |name: &str| directory.path().join(name);
            let catalog = Catalog::open(&file("catalog.db"), clock.clone()).unwrap();
            (catalog, Trail::open(&file("audit.db"), clock.clone()).unwrap())
        };
        Self { catalog, trail, clock, directory }
    }

    async fn add(&self, ids: std::ops::Range<usize>) {
        let entries: Arc<[Entry]> = ids.map(|id| entry(id, self.clock.now())).collect();
        self.trail.write(async move |tx| trail::append(tx, &entries).await).await.unwrap();
    }

    fn outlet<S: Sink>(&self, start: Start, sink: S) -> Outlet<S> {
        Outlet::new(self.trail.clone(), self.catalog.clone(), "test", start, sink)
    }
}

fn entry(id: usize, at: Timestamp) -> Entry {
    Entry {
        id: id.to_string(),
        at,
        action: "pull".into(),
        outcome: "success".into(),
        actor: "robot+ci".into(),
        kind: "robot".into(),
        proof: "robot_secret".into(),
        project: None,
        repository: None,
        tag: None,
        digest: None,
        status: None,
        request_id: None,
        client: None,
        agent: None,
        personal: None,
        detail: "{}".into(),
        event: None,
    }
}

/// Takes what it is told to take, and keeps the ids.
#[derive(Clone, Default)]
struct Kept {
    ids: Arc<Mutex<Vec<usize>>>,
    /// Every such delivery fails in the middle.
    fails_each: usize,
    deliveries: Arc<Mutex<usize>>,
}

impl Sink for Kept {
    async fn deliver(&mut self, documents: &mut Vec<(String, Value)>) -> Result<(), Undelivered> {
        *self.deliveries.lock() += 1;
        let fails = self.fails_each > 0 && (*self.deliveries.lock()).is_multiple_of(self.fails_each);
        let count = if fails { documents.len() / 2 } else { documents.len() };
        let taken = documents.drain(..count).map(|(id, _)| id.parse::<usize>().unwrap());
        self.ids.lock().extend(taken);
        if fails { Err(Undelivered("away".into())) } else { Ok(()) }
    }
}

impl Kept {
    /// Waits until so many different records have come, and stops.
    async fn wait(&self, count: usize, stop: watch::Sender<bool>, task: tokio::task::JoinHandle<()>) {
        let waiting = async {
            while self.different().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
        stop.send_replace(true);
        task.await.unwrap();
    }

    fn different(&self) -> Vec<usize> {
        let mut ids = self.ids.lock().clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

async fn nothing_is_lost(fixture: Fixture) {
    fixture.add(0..1_200).await;
    let kept = Kept { fails_each: 2, ..Kept::default() };
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(fixture.outlet(Start::Beginning, kept.clone()).run(stopped));
    kept.wait(1_200, stop, task).await;
    assert_eq!(kept.different(), (0..1_200).collect::<Vec<_>>());

    // The next one goes on where this one stopped, at once.
    fixture.add(1_200..1_203).await;
    let kept = Kept::default();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(fixture.outlet(Start::Beginning, kept.clone()).run(stopped));
    kept.wait(3, stop, task).await;
    assert_eq!(*kept.ids.lock(), [1_200, 1_201, 1_202]);
}

async fn one_at_a_time_delivers(fixture: Fixture) {
    fixture.add(0..10).await;
    let (first, second) = (Kept::default(), Kept::default());
    let mut one = fixture.outlet(Start::Beginning, first.clone());
    let mut other = fixture.outlet(Start::Beginning, second.clone());
    (one.owner, other.owner) = ("one".into(), "other".into());
    one.round().await.unwrap();
    fixture.add(10..20).await;
    other.round().await.unwrap();
    assert_eq!((first.ids.lock().len(), second.ids.lock().len()), (10, 0));
    // A node that is not heard of any more is replaced, and hears of it.
    fixture.clock.advance(Duration::from_secs(61));
    other.round().await.unwrap();
    assert_eq!(*second.ids.lock(), (10..20).collect::<Vec<_>>());
    fixture.add(20..21).await;
    one.round().await.unwrap();
    assert_eq!(first.ids.lock().len(), 10);
}

async fn who_waits_writes_only_to_stay(fixture: Fixture) {
    fixture.add(0..2).await;
    let (first, second) = (Kept::default(), Kept::default());
    let mut one = fixture.outlet(Start::Beginning, first.clone());
    let mut other = fixture.outlet(Start::Beginning, second.clone());
    (one.owner, other.owner) = ("one".into(), "other".into());
    one.round().await.unwrap();
    // Looks that find nothing do not say that it is still here: the lease ends a minute after the delivery.
    for _ in 0..19 {
        fixture.clock.advance(Duration::from_secs(1));
        one.round().await.unwrap();
    }
    fixture.clock.advance(Duration::from_secs(41));
    fixture.add(2..3).await;
    other.round().await.unwrap();
    assert_eq!(*second.ids.lock(), [2], "nothing was written meanwhile");
    // It says so in time.
    for _ in 0..4 {
        fixture.clock.advance(Duration::from_secs(19));
        other.round().await.unwrap();
    }
    fixture.add(3..4).await;
    one.round().await.unwrap();
    other.round().await.unwrap();
    assert_eq!((&*first.ids.lock(), &*second.ids.lock()), (&vec![0, 1], &vec![2, 3]));
}

/// Delivers slowly.
#[derive(Clone, Default)]
struct Slow(Kept);

impl Sink for Slow {
    async fn deliver(&mut self, documents: &mut Vec<(String, Value)>) -> Result<(), Undelivered> {
        *self.0.deliveries.lock() += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.0.deliver(documents).await
    }
}

async fn what_is_on_its_way_arrives_before_a_stop(fixture: Fixture) {
    fixture.add(0..3).await;
    let slow = Slow::default();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(fixture.outlet(Start::Beginning, slow.clone()).run(stopped));
    while *slow.0.deliveries.lock() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send_replace(true);
    task.await.unwrap();
    assert_eq!(*slow.0.ids.lock(), [0, 1, 2]);
    let reached = fixture.trail.read(async |r| cursor::find(r, "test").await).await.unwrap();
    assert_eq!(reached, Some(3), "and is not sent again");
}

async fn lines_begin_now_and_are_whole(fixture: Fixture) {
    fixture.add(0..5).await;
    let path = fixture.directory.path().join("lines.json");
    let lines = Lines { to: LinesTo::File, path: Some(path.clone()) };
    let mut outlet = fixture.outlet(Start::Now, lines);
    outlet.round().await.unwrap();
    assert!(!path.exists());
    fixture.add(5..7).await;
    outlet.round().await.unwrap();
    // Somebody takes the file away.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    fixture.add(7..8).await;
    outlet.round().await.unwrap();
    let text = text + &std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = lines.iter().map(|line| line["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["5", "6", "7"]);
    assert_eq!(lines[0]["@timestamp"], "2026-11-27T10:00:00.000000Z");
    assert_eq!(lines[0]["action"], "pull");
}

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Fixture::new(false).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Fixture::new(true).await).await;
            })*
        }
    };
}
on_both!(
    nothing_is_lost,
    one_at_a_time_delivers,
    who_waits_writes_only_to_stay,
    what_is_on_its_way_arrives_before_a_stop,
    lines_begin_now_and_are_whole
);
