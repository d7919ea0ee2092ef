//! oras: artifacts, attachments and the graph of referrers.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Stage, UNTRUSTED};
use crate::harness::{Home, Registry};

#[tokio::test]
async fn attaches_over_http() -> Result<()> {
    let stage = Stage::new().await?;
    artifacts(&stage.home, &stage.plain, &["--plain-http"], &["--from-plain-http", "--to-plain-http"]).await
}

#[tokio::test]
async fn attaches_over_tls() -> Result<()> {
    let stage = Stage::new().await?;
    let reference = format!("{}/oras/note:1", stage.secure.host());
    stage.home.fails("oras", &["manifest", "fetch", &reference], UNTRUSTED).await?;
    let ca = stage.authority.ca_file();
    artifacts(&stage.home, &stage.secure, &["--ca-file", &ca], &["--from-ca-file", &ca, "--to-ca-file", &ca])
        .await
}

pub(crate) async fn artifacts(
    home: &Home,
    server: &dyn Registry,
    trust: &[&str],
    copy_trust: &[&str],
) -> Result<()> {
    home.write("note.txt", "an artifact\n")?;
    home.write("sbom.json", "{\"packages\": []}\n")?;
    home.write("signature.bin", "signed\n")?;
    let reference = format!("{}/oras/note:1", server.host());
    let push = ["push", "--artifact-type", "application/vnd.example.note", &reference, "note.txt:text/plain"];
    home.run("oras", &[&push[..], trust].concat()).await?;
    for (kind, file) in [
        ("application/vnd.example.sbom", "sbom.json"),
        ("application/vnd.example.signature", "signature.bin"),
    ] {
        let attach = ["attach", "--artifact-type", kind, &reference, file];
        home.run("oras", &[&attach[..], trust].concat()).await?;
    }
    let found = discover(home, &reference, trust).await?;
    ensure!(found.len() == 2, "{} referrers, not 2", found.len());

    let copy = format!("{}/oras/copy:1", server.host());
    home.run("oras", &[&["cp", "-r", &reference, &copy][..], copy_trust].concat()).await?;
    let mut copied = discover(home, &copy, trust).await?;
    let mut found = found;
    copied.sort();
    found.sort();
    ensure!(copied == found, "the copy's referrers are {copied:?}, not {found:?}");

    let out = home.file("out");
    home.run("oras", &[&["pull", "-o", &out, &copy][..], trust].concat()).await?;
    let note = std::fs::read_to_string(home.path().join("out/note.txt"))?;
    ensure!(note == "an artifact\n", "the note came back as {note:?}");
    Ok(())
}

/// Digests of what refers to a reference.
async fn discover(home: &Home, reference: &str, trust: &[&str]) -> Result<Vec<String>> {
    let output =
        home.run("oras", &[&["discover", "--format", "json", reference][..], trust].concat()).await?;
    let output: Value = serde_json::from_str(&output)?;
    let referrers = output["referrers"].as_array().or_else(|| output["manifests"].as_array());
    let referrers = referrers.with_context(|| format!("no referrers: {output}"))?;
    Ok(referrers.iter().filter_map(|one| one["digest"].as_str()).map(str::to_owned).collect())
}
