//! What a registry is to serve, and whether it does.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Api, digest_of};

/// Digests by repository and tag.
pub(crate) type Served = BTreeMap<(String, String), String>;

/// Pulls a manifest and everything below it; each digest is compared.
pub(crate) async fn pull_whole(api: &Api, repository: &str, reference: &str) -> Result<String> {
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

/// Pulls all of them, and compares.
pub(crate) async fn pull_all(api: &Api, expected: &Served) -> Result<()> {
    for ((repository, tag), digest) in expected {
        let pulled = pull_whole(api, repository, tag).await.with_context(|| format!("{repository}:{tag}"))?;
        ensure!(pulled == *digest, "{repository}:{tag} is {pulled}, was {digest}");
    }
    Ok(())
}
