//! What has to hold when all is whole again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::worker::Worker;
use crate::harness::{Cluster, Corrupted, Event, content, digest_of};

/// Longest that events may take from their commit into the log, whoever held it before.
const SEALED_WITHIN: Duration = Duration::from_secs(30);

/// What was found wrong.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) lost: Vec<String>,
    pub(super) corrupted: Vec<String>,
    pub(super) events: usize,
    pub(super) wrong_events: Vec<String>,
}

/// Pulls everything that was acknowledged, and asks every server for what was deleted.
pub(super) async fn content_of(cluster: &Cluster, workers: &[Worker], verdict: &mut Verdict) -> Result<()> {
    for (number, node) in cluster.nodes().iter().enumerate() {
        let api = node.api()?;
        for worker in workers {
            let repository = &worker.repository;
            for image in &worker.images {
                let found = api.resolve(repository, &image.tag).await?;
                if found.as_ref() != Some(&image.digest) {
                    verdict.lost.push(format!("node {number}: {repository}:{} is {found:?}", image.tag));
                }
                // Each blob by one server: they share the bytes.
                let mine =
                    image.blobs.iter().enumerate().filter(|(index, _)| index % Cluster::NODES == number);
                for (_, &(seed, size)) in mine {
                    let digest = digest_of(&content(seed, size));
                    match api.pull_blob(repository, &digest).await {
                        Ok(_) => {}
                        Err(error) if error.is::<Corrupted>() => verdict.corrupted.push(format!("{error:#}")),
                        Err(error) => verdict.lost.push(format!("node {number}: {error:#}")),
                    }
                }
            }
            for image in &worker.deleted {
                let path = format!("/v2/{repository}/manifests/{}", image.digest);
                let status = api.get(&path).await?.status();
                ensure!(status == 404, "node {number}: {path}, whose delete was acknowledged: {status}");
            }
        }
    }
    Ok(())
}

/// Reads the event log until it tells everything, for as long as that may take.
pub(super) async fn events(cluster: &Cluster, workers: &[Worker], verdict: &mut Verdict) -> Result<()> {
    let begin = Instant::now();
    loop {
        let events = cluster.events().await?;
        verdict.events = events.len();
        verdict.wrong_events = wrong(&events, workers);
        if verdict.wrong_events.is_empty() || begin.elapsed() > SEALED_WITHIN {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Changes that the log does not tell exactly once, and gaps in it.
fn wrong(events: &[Event], workers: &[Worker]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if event.position != index as u64 + 1 {
            wrong.push(format!("event {} at place {}", event.position, index + 1));
        }
        let thing = match event.kind.as_str() {
            "manifest_pushed" | "manifest_deleted" => event.digest.as_deref(),
            "tag_moved" | "tag_deleted" => event.tag.as_deref(),
            _ => None,
        };
        if let Some(thing) = thing {
            *told.entry((&event.repository, &event.kind, thing)).or_default() += 1;
        }
    }
    for worker in workers {
        let mut expect = |kind: &'static str, thing: &str, times: &[usize]| {
            let found = told.get(&(worker.repository.as_str(), kind, thing)).copied().unwrap_or_default();
            if !times.contains(&found) {
                wrong
                    .push(format!("{} {kind} {thing}: told {found} times, not {times:?}", worker.repository));
            }
        };
        let (kept, deleted, in_doubt) = (&worker.images, &worker.deleted, &worker.in_doubt);
        for (images, pushed, gone) in
            [(kept, &[1][..], &[0][..]), (deleted, &[1][..], &[1][..]), (in_doubt, &[0, 1][..], &[0, 1][..])]
        {
            for image in images {
                expect("manifest_pushed", &image.digest, pushed);
                expect("tag_moved", &image.tag, pushed);
                expect("manifest_deleted", &image.digest, gone);
                expect("tag_deleted", &image.tag, gone);
            }
        }
    }
    wrong
}
