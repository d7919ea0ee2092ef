use std::time::{Duration, Instant};

use berth_engines::Postgres;
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::trail::Trail;
use crate::{Clock, PostgresConfig};

/// Longer than anybody waits.
const FOREVER_HERE: &str = "/* for ever */ WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000000) SELECT COUNT(*) FROM n";
const FOREVER_THERE: &str = "/* for ever */ SELECT CAST(COUNT(pg_sleep(100)) AS BIGINT)";

async fn ends(trail: &Trail, sql: &'static str) {
    let search = async |time: Duration| -> Result<Vec<i64>> {
        trail.search(time, async move |r| r.ask(sql, &[], |row| row.int(0)).await).await
    };
    let begun = Instant::now();
    assert!(matches!(search(Duration::from_millis(300)).await, Err(Error::TooSlow)));
    // Who goes away takes the work along.
    let left = tokio::time::timeout(Duration::from_millis(100), search(Duration::from_mins(1))).await;
    assert!(left.is_err());
    // The next are answered, and records still come in.
    let one: Result<Vec<i64>> = trail
        .search(Duration::from_secs(10), async |r| {
            r.ask("SELECT 1 + CAST($1 AS BIGINT)", &[1_i64.into()], |row| row.int(0)).await
        })
        .await;
    assert_eq!(one.unwrap(), [2]);
    trail.write(async |tx| crate::trail::append(tx, &[]).await).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Returns how many threads of this process are at a search.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "trail-search").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_ended_on_sqlite() {
    let directory = TempDir::new().unwrap();
    let trail = Trail::open(&directory.path().join("audit.db"), Clock::system()).unwrap();
    ends(&trail, FOREVER_HERE).await;
    let begun = Instant::now();
    while threads() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "a search that nobody waits for goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_ended_on_postgres() {
    let settings = PostgresConfig { pool: 4, ..PostgresConfig::new(Postgres::shared().database()) };
    let trail = Trail::connect(&settings, Clock::system()).await.unwrap();
    ends(&trail, FOREVER_THERE).await;
}
