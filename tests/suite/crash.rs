//! `kill -9` at random moments under several pushing clients: what was acknowledged is there, once, and whole.
//!
//! `BERTH_CRASH_ROUNDS` says how often (20; the full mode has 200), `BERTH_SEED` repeats a run.

mod check;
mod client;
mod deployment;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::harness::{Random, Server, number_from_environment};
use client::Client;
use deployment::Deployment;

const CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_survive_kill_9() -> Result<()> {
    survive(&mut Server::open().await?, number_from_environment("BERTH_CRASH_ROUNDS", 20)?).await
}

/// Lets clients work on a deployment that is killed so often, and checks what they were promised.
pub(crate) async fn survive(deployment: &mut impl Deployment, rounds: u64) -> Result<()> {
    let mut random = Random::from_environment()?;
    let mut clients: Vec<Client> = (0..CLIENTS).map(|number| Client::new(number, random.split())).collect();
    for round in 0..rounds {
        let life = Duration::from_millis(random.between(30, 600));
        clients = push_until_killed(clients, deployment, life, &mut random)
            .await
            .with_context(|| format!("round {round}"))?;
        deployment.restart().await.with_context(|| format!("restart after round {round}"))?;
        let api = deployment.api()?;
        for client in &mut clients {
            client.settle(&api).await.with_context(|| format!("after round {round}"))?;
            client.check_recent(&api).await.with_context(|| format!("after round {round}"))?;
        }
        deployment.no_litter(&clients).await.with_context(|| format!("after round {round}"))?;
    }
    let api = deployment.api()?;
    let mut acknowledged = 0;
    for client in &mut clients {
        client.finish_all_uploads(&api).await?;
        client.check_all(&api).await?;
        acknowledged += client.acknowledged();
    }
    deployment.no_litter(&clients).await?;
    check::events_settle(deployment.commands(), &clients).await?;
    deployment.commands().verify().await?;
    deployment.commands().scrub().await?;
    ensure!(
        acknowledged > rounds * CLIENTS,
        "only {acknowledged} changes were acknowledged in {rounds} rounds"
    );
    println!("{acknowledged} acknowledged changes survived {rounds} kills");
    Ok(())
}

/// Lets all clients work until the deployment is killed under them.
async fn push_until_killed(
    clients: Vec<Client>,
    deployment: &mut impl Deployment,
    life: Duration,
    random: &mut Random,
) -> Result<Vec<Client>> {
    let killed = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(client.work(deployment.api()?, Arc::clone(&killed)));
    }
    tokio::time::sleep(life).await;
    killed.store(true, Ordering::SeqCst);
    deployment.kill(random)?;
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    Ok(clients)
}
