//! What one server acknowledged, every server knows at once.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::harness::{Api, Cluster, content, expect, manifest_of};

const REPOSITORY: &str = "cluster/consistency";
const ROUNDS: usize = 12;

/// A client for each server, past the balancer.
fn apis(cluster: &Cluster) -> Result<Vec<Api>> {
    cluster.nodes().iter().map(crate::harness::Server::api).collect()
}

/// Pushes an image of one blob; hands back the manifest's digest and the blob's.
async fn push(api: &Api, tag: &str, number: usize) -> Result<(String, String)> {
    let bytes = content(number as u64, 100 + number * 2_000);
    let blob = api.push_blob(REPOSITORY, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    let manifest = manifest_of(&config, &[], &json!({"number": number.to_string()}));
    Ok((api.push_manifest(REPOSITORY, tag, &manifest).await?, blob))
}

#[tokio::test]
async fn a_moved_tag_is_moved_everywhere() -> Result<()> {
    let cluster = Cluster::start().await?;
    let apis = apis(&cluster)?;
    for number in 0..ROUNDS {
        let (digest, blob) = push(&apis[number % apis.len()], "moving", number).await?;
        for (node, api) in apis.iter().enumerate() {
            let found = api.resolve(REPOSITORY, "moving").await?;
            ensure!(
                found.as_ref() == Some(&digest),
                "node {node} in round {number}: {found:?}, not {digest}"
            );
            api.pull_manifest(REPOSITORY, &digest).await.with_context(|| format!("node {node}"))?;
            api.pull_blob(REPOSITORY, &blob).await.with_context(|| format!("node {node}"))?;
        }
    }
    Ok(())
}

/// Every server has served the manifest and the blob, and so may have them in its memory.
#[tokio::test]
async fn what_is_deleted_is_gone_everywhere() -> Result<()> {
    let cluster = Cluster::start().await?;
    let apis = apis(&cluster)?;
    for number in 0..ROUNDS {
        let tag = format!("t{number}");
        let (digest, blob) = push(&apis[number % apis.len()], &tag, number).await?;
        for api in apis.iter().chain(&apis) {
            api.pull_manifest(REPOSITORY, &digest).await?;
            api.pull_blob(REPOSITORY, &blob).await?;
        }
        let deleting = &apis[(number + 1) % apis.len()];
        expect(deleting.delete(&format!("/v2/{REPOSITORY}/manifests/{digest}")).await?, 202).await?;
        for (node, api) in apis.iter().enumerate() {
            for reference in [&digest, &tag] {
                let answer = api.get(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await?;
                ensure!(
                    answer.status() == 404,
                    "node {node} in round {number}: {reference}: {}",
                    answer.status()
                );
            }
        }
        expect(deleting.delete(&format!("/v2/{REPOSITORY}/blobs/{blob}")).await?, 202).await?;
        for (node, api) in apis.iter().enumerate() {
            let answer = api.get(&format!("/v2/{REPOSITORY}/blobs/{blob}")).await?;
            ensure!(answer.status() == 404, "node {node} in round {number}: {blob}: {}", answer.status());
        }
    }
    Ok(())
}

/// A tag deleted by one server while another moves it ends as one of the two, everywhere the same.
#[tokio::test]
async fn servers_agree_after_concurrent_changes() -> Result<()> {
    let cluster = Cluster::start().await?;
    let apis = apis(&cluster)?;
    let (first, _) = push(&apis[0], "torn", 1).await?;
    for round in 0..ROUNDS {
        let path = format!("/v2/{REPOSITORY}/manifests/torn");
        let (moved, deleted) = tokio::join!(push(&apis[1], "torn", 2), apis[2].delete(&path));
        let (digest, status) = (moved?.0, deleted?.status().as_u16());
        ensure!([202, 404].contains(&status), "round {round}: the delete was answered {status}");
        let mut seen = Vec::new();
        for api in &apis {
            seen.push(api.resolve(REPOSITORY, "torn").await?);
        }
        let agreed = seen.iter().all(|one| *one == seen[0]);
        ensure!(agreed && seen[0].as_ref().is_none_or(|one| *one == digest), "round {round}: {seen:?}");
        apis[0].pull_manifest(REPOSITORY, &first).await?;
    }
    Ok(())
}
