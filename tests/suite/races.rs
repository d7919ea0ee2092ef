//! Push, delete, mount, collection and scrub of the same digests at once: nothing acknowledged may be missing.
//!
//! Each worker owns a repository, so it knows what has to be there; all push the same blobs, so that their bytes, links and
//! deletes meet in the store. `BERTH_RACE_SECONDS` says how long (20).

mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::harness::{Api, Random, Server, number_from_environment};
use worker::Worker;

const WORKERS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collection_never_takes_what_was_acknowledged() -> Result<()> {
    let server = Server::open().await?;
    race(&server.api()?, &server).await
}

/// Lets workers race on the registry behind `api` with the collections and scrubs that are ordered beside `server`.
pub(crate) async fn race(api: &Api, server: &Server) -> Result<()> {
    let seconds = number_from_environment("BERTH_RACE_SECONDS", 20)?;
    let mut random = Random::from_environment()?;
    let over = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let worker = Worker::new(number, WORKERS, random.split(), api.clone());
        workers.spawn(worker.work(Arc::clone(&over)));
    }
    let collections = repeat(server, Arc::clone(&over), &["gc", "--now", "--delay", "0s"]);
    let scrubs = repeat(server, Arc::clone(&over), &["scrub", "--bytes-per-second", "0"]);
    let clock = async {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            () = ended_early(&over) => {}
        }
        over.store(true, Ordering::SeqCst);
        Ok::<_, anyhow::Error>(())
    };
    let (collections, scrubs, ()) = tokio::try_join!(collections, scrubs, clock)?;

    let mut pushed = 0;
    let mut finished = Vec::new();
    while let Some(worker) = workers.join_next().await {
        let worker = worker??;
        pushed += worker.pushed();
        finished.push(worker);
    }
    for worker in &finished {
        worker.check_all().await?;
    }
    server.collect().await?;
    for worker in &finished {
        worker.check_all().await.context("after the last collection")?;
    }
    server.verify().await?;
    server.scrub().await?;
    ensure!(pushed > seconds, "only {pushed} images were pushed in {seconds} s");
    ensure!(
        collections > 2 && scrubs > 0,
        "only {collections} collections and {scrubs} scrubs ran beside the pushes"
    );
    println!("{pushed} images pushed beside {collections} collections and {scrubs} scrubs");
    Ok(())
}

/// Runs a command again and again until the time is over; hands back how often.
async fn repeat(server: &Server, over: Arc<AtomicBool>, command: &[&str]) -> Result<u64> {
    let mut times = 0;
    while !over.load(Ordering::SeqCst) {
        let ran = server.succeeds(command).await;
        if ran.is_err() {
            over.store(true, Ordering::SeqCst);
        }
        ran?;
        times += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(times)
}

async fn ended_early(over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
