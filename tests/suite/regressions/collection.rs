//! Garbage collection that took too much, and caches that outlived it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Api, MANIFEST, Server, Setup, content, digest_of, expect, index_of, manifest_of};

const REPOSITORY: &str = "peers/collection";
/// Lets the collector take untagged manifests too, which it does not by default.
const COLLECT_UNTAGGED: &str = "gc:\n  untagged: delete\n";

/// Pushes these blobs and a manifest over them; hands back its descriptor.
async fn push_image(api: &Api, tag: Option<&str>, seeds: &[u64]) -> Result<Value> {
    let mut layers = Vec::new();
    for &seed in seeds {
        let bytes = content(seed, 30_000);
        let digest = api.push_blob(REPOSITORY, &bytes).await?;
        layers.push(
            json!({"mediaType": "application/vnd.example.layer", "digest": digest, "size": bytes.len()}),
        );
    }
    let manifest = manifest_of(&layers[0], &layers[1..], &json!({"seeds": format!("{seeds:?}")}));
    let digest = digest_of(&manifest);
    api.push_manifest(REPOSITORY, tag.unwrap_or(&digest), &manifest).await?;
    Ok(json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len()}))
}

fn digest(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap_or_default()
}

/// Pulls a manifest and everything it names.
async fn pull_whole(api: &Api, reference: &str) -> Result<()> {
    let manifest: Value = serde_json::from_slice(&api.pull_manifest(REPOSITORY, reference).await?)?;
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        Box::pin(pull_whole(api, digest(child))).await?;
    }
    for blob in manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config")) {
        api.pull_blob(REPOSITORY, digest(blob)).await.with_context(|| format!("of {reference}"))?;
    }
    Ok(())
}

/// distribution #4939: layers that a deleted image shared with a kept one were lost.
#[tokio::test]
async fn distribution_4939_shared_base_layers_stay() -> Result<()> {
    let server = Server::open().await?;
    let api = server.api()?;
    for round in 0..8_u64 {
        let base = 10 * round;
        let gone = push_image(&api, Some("gone"), &[base, base + 1]).await?;
        push_image(&api, Some(&format!("kept-{round}")), &[base, base + 2]).await?;
        expect(api.delete(&format!("/v2/{REPOSITORY}/manifests/{}", digest(&gone))).await?, 202).await?;
        // A third image on the same base arrives while collection runs.
        let newcomer = format!("new-{round}");
        let seeds = [base, base + 3];
        let (pushed, collected) = tokio::join!(push_image(&api, Some(&newcomer), &seeds), server.collect());
        collected?;
        if let Err(error) = pushed {
            // Collection without delay may take a blob that no manifest names yet; nothing else may go wrong.
            ensure!(format!("{error:#}").contains("BLOB_UNKNOWN"), "push beside collection: {error:#}");
            push_image(&api, Some(&newcomer), &seeds).await.context("after collection")?;
        }
    }
    server.collect().await?;
    for round in 0..8 {
        pull_whole(&api, &format!("kept-{round}")).await?;
        pull_whole(&api, &format!("new-{round}")).await?;
    }
    let lost = digest_of(&content(1, 30_000));
    expect(api.get(&format!("/v2/{REPOSITORY}/blobs/{lost}")).await?, 404)
        .await
        .context("garbage was kept")?;
    server.verify().await?;
    Ok(())
}

/// distribution #3178 and #3004: children of a tagged index were taken for untagged manifests.
#[tokio::test]
async fn distribution_3178_and_3004_children_of_an_index_stay() -> Result<()> {
    let server = Setup::default().with_config(COLLECT_UNTAGGED).start().await?;
    let api = server.api()?;
    let children = [push_image(&api, None, &[1, 2]).await?, push_image(&api, None, &[1, 3]).await?];
    let inner = index_of(&children);
    let inner_digest = api.push_manifest(REPOSITORY, &digest_of(&inner), &inner).await?;
    let media_type = "application/vnd.oci.image.index.v1+json";
    let nested = json!({"mediaType": media_type, "digest": inner_digest, "size": inner.len()});
    let outer = index_of(&[nested, push_image(&api, None, &[4]).await?]);
    api.push_manifest(REPOSITORY, "multi", &outer).await?;
    let orphan = push_image(&api, None, &[5]).await?;
    for _ in 0..2 {
        server.collect().await?;
        pull_whole(&api, "multi").await?;
    }
    let orphan = format!("/v2/{REPOSITORY}/manifests/{}", digest(&orphan));
    expect(api.get(&orphan).await?, 404).await.context("the policy took no untagged manifest at all")?;
    server.verify().await?;
    Ok(())
}

/// The same without the policy: untagged manifests are kept, because somebody may pull them by digest.
#[tokio::test]
async fn untagged_manifests_stay_by_default() -> Result<()> {
    let server = Server::open().await?;
    let api = server.api()?;
    let first = push_image(&api, Some("moving"), &[1]).await?;
    push_image(&api, Some("moving"), &[2]).await?;
    server.collect().await?;
    pull_whole(&api, digest(&first)).await?;
    pull_whole(&api, "moving").await
}

/// distribution #3254 (also #1939, #1848): after collection a cached descriptor made pushes skip blobs that were gone.
#[tokio::test]
async fn distribution_3254_nothing_is_cached_beyond_collection() -> Result<()> {
    let server = Server::open().await?;
    let api = server.api()?;
    for _ in 0..3 {
        let image = push_image(&api, Some("again"), &[1, 2]).await?;
        pull_whole(&api, "again").await?;
        expect(api.delete(&format!("/v2/{REPOSITORY}/manifests/{}", digest(&image))).await?, 202).await?;
        server.collect().await?;
        for seed in [1, 2] {
            let blob = format!("/v2/{REPOSITORY}/blobs/{}", digest_of(&content(seed, 30_000)));
            let (head, get) = (api.head(&blob).await?.status(), api.get(&blob).await?.status());
            ensure!(head == 404 && get == 404, "a collected blob: HEAD {head}, GET {get}");
        }
        let refused = api.put_manifest(REPOSITORY, "again", &manifest_over(&[1, 2])).await?;
        ensure!(
            refused.status().is_client_error(),
            "a manifest over collected blobs was taken: {}",
            refused.status()
        );
        ensure!(api.resolve(REPOSITORY, "again").await?.is_none(), "a deleted tag still answers");
    }
    push_image(&api, Some("again"), &[1, 2]).await?;
    pull_whole(&api, "again").await
}

/// Manifest over blobs that may or may not be there.
fn manifest_over(seeds: &[u64]) -> Vec<u8> {
    let layer = |&seed: &u64| {
        let bytes = content(seed, 30_000);
        json!({"mediaType": "application/vnd.example.layer", "digest": digest_of(&bytes), "size": bytes.len()})
    };
    let layers: Vec<Value> = seeds.iter().map(layer).collect();
    manifest_of(&layers[0], &layers[1..], &json!({}))
}
