//! Import from registries that run: docker-registry with passwords, with tokens and with lies, and another Berth.

mod comes;
mod goes_on;
mod old;
mod refused;
mod token;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::harness::{Api, MANIFEST, content, digest_of, expect, index_of, manifest_of};

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
