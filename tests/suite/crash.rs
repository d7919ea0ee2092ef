//! `kill -9` at random moments under several pushing clients: what was acknowledged is there, once, and whole.
//!
//! `BERTH_CRASH_ROUNDS` says how often (20; the full mode has 200), `BERTH_SEED` repeats a run.

mod check;
mod client;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::harness::{Random, Server, number_from_environment};
use client::Client;

const CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_survive_kill_9() -> Result<()> {
    let rounds = number_from_environment("BERTH_CRASH_ROUNDS", 20)?;
    let mut random = Random::from_environment()?;
    let mut server = Server::open().await?;
    let mut clients: Vec<Client> = (0..CLIENTS).map(|number| Client::new(number, random.split())).collect();
    for round in 0..rounds {
        let life = Duration::from_millis(random.between(30, 600));
        clients =
            push_until_killed(clients, &mut server, life).await.with_context(|| format!("round {round}"))?;
        server.start().await.with_context(|| format!("restart after round {round}"))?;
        let api = server.api()?;
        for client in &mut clients {
            client.settle(&api).await.with_context(|| format!("after round {round}"))?;
            client.check_recent(&api).await.with_context(|| format!("after round {round}"))?;
        }
        check::no_litter(&server, &clients).await.with_context(|| format!("after round {round}"))?;
    }
    let api = server.api()?;
    let mut acknowledged = 0;
    for client in &mut clients {
        client.finish_all_uploads(&api).await?;
        client.check_all(&api).await?;
        acknowledged += client.acknowledged();
    }
    check::no_litter(&server, &clients).await?;
    check::events(&server.events().await?, &clients)?;
    server.verify().await?;
    server.scrub().await?;
    ensure!(
        acknowledged > rounds * CLIENTS,
        "only {acknowledged} changes were acknowledged in {rounds} rounds"
    );
    println!("{acknowledged} acknowledged changes survived {rounds} kills");
    Ok(())
}

/// Lets all clients work until the server is killed under them.
async fn push_until_killed(clients: Vec<Client>, server: &mut Server, life: Duration) -> Result<Vec<Client>> {
    let killed = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(client.work(server.api()?, Arc::clone(&killed)));
    }
    tokio::time::sleep(life).await;
    killed.store(true, Ordering::SeqCst);
    server.kill()?;
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    Ok(clients)
}
