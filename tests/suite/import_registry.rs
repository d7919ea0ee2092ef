//! Import from registries that run: docker-registry with passwords, with tokens and with lies, and another Berth.

mod comes;
mod goes_on;
mod old;
mod refused;
mod token;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Api, MANIFEST, content, digest_of, expect, index_of, manifest_of};

/// What the other registry serves: manifest digests by repository and tag.
type Served = BTreeMap<(String, String), String>;

/// Pushes an image of a small and a larger blob, the latter of this many bytes.
async fn push_image(api: &Api, repository: &str, tag: &str, seed: u64, size: usize) -> Result<String> {
    let mut layers = Vec::new();
    for (part, size) in [(0, 500), (1, size)] {
        let bytes = content(seed * 2 + part, size);
        let digest = api.push_blob(repository, &bytes).await?;
        layers.push(json!({"mediaType": "application/vnd.example.layer", "digest": digest, "size": size}));
    }
    let manifest = manifest_of(&layers[0], &layers[1..], &json!({"seed": seed.to_string()}));
    api.push_manifest(repository, tag, &manifest).await
}

/// Pushes an index of two images.
async fn push_index(api: &Api, repository: &str, tag: &str, seed: u64) -> Result<String> {
    let mut children = Vec::new();
    for part in 0..2 {
        let digest = push_image(api, repository, &format!("{tag}-{part}"), seed + part, 3000).await?;
        let size = api.pull_manifest(repository, &digest).await?.len();
        children.push(json!({"mediaType": MANIFEST, "digest": digest, "size": size}));
    }
    api.push_manifest(repository, tag, &index_of(&children)).await
}

/// Pushes what refers to a manifest, as a signature does.
async fn push_referrer(api: &Api, repository: &str, subject: &str, seed: u64) -> Result<String> {
    let size = api.pull_manifest(repository, subject).await?.len();
    let empty = api.push_blob(repository, b"{}").await?;
    let bytes = content(seed, 700);
    let layer = api.push_blob(repository, &bytes).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.signature",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "layers": [{"mediaType": "application/vnd.example.layer", "digest": layer, "size": bytes.len()}],
        "subject": {"mediaType": MANIFEST, "digest": subject, "size": size},
    });
    let manifest = manifest.to_string().into_bytes();
    let digest = digest_of(&manifest);
    api.push_manifest(repository, &digest, &manifest).await
}

/// Digests of what refers to a manifest, as the registry lists them.
async fn referrers(api: &Api, repository: &str, subject: &str) -> Result<Vec<String>> {
    let answer = api.get(&format!("/v2/{repository}/referrers/{subject}")).await?;
    let index: Value = expect(answer, 200).await?.json().await?;
    let listed = index["manifests"].as_array().context("no list of referrers")?;
    Ok(listed.iter().filter_map(|entry| entry["digest"].as_str()).map(ToOwned::to_owned).collect())
}

/// Pulls a manifest and everything below it; each digest is compared.
async fn pull_whole(api: &Api, repository: &str, reference: &str) -> Result<String> {
    let bytes = api.pull_manifest(repository, reference).await?;
    let manifest: Value = serde_json::from_slice(&bytes)?;
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        let digest = child["digest"].as_str().context("a child without digest")?;
        Box::pin(pull_whole(api, repository, digest)).await?;
    }
    for blob in manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config")) {
        let digest = blob["digest"].as_str().context("a blob without digest")?;
        api.pull_blob(repository, digest).await.with_context(|| format!("of {repository}:{reference}"))?;
    }
    Ok(digest_of(&bytes))
}

async fn pull_all(api: &Api, expected: &Served) -> Result<()> {
    for ((repository, tag), digest) in expected {
        let pulled = pull_whole(api, repository, tag).await.with_context(|| format!("{repository}:{tag}"))?;
        ensure!(pulled == *digest, "{repository}:{tag} is {pulled}, was {digest}");
    }
    Ok(())
}
