//! The audit trail comes back with everything else: whole, searchable, and without those who were erased since.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{files, pull_image, push_image, run, succeeds};
use crate::harness::{Home, Server, Setup, USER};

async fn export(home: &Home, directory: &str) -> Result<Vec<Value>> {
    let text = succeeds(home, &["audit", "export", "--data-dir", directory]).await?;
    text.lines().map(|line| serde_json::from_str(line).context("a record is no JSON")).collect()
}

/// Waits until the trail has so many pulls of manifests.
async fn pulled(server: &Server, count: usize) -> Result<()> {
    for _ in 0..200 {
        let text = server.succeeds(&["audit", "list", "--action", "pull", "--limit", "1000"]).await?;
        if text.lines().filter(|line| line.contains(":v1@")).count() >= count {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the pulls are not recorded")
}

#[tokio::test]
async fn the_audit_trail_comes_back_whole_and_without_the_erased() -> Result<()> {
    let home = Home::new()?;
    let (archive, early, late) = (home.file("backup"), home.file("early"), home.file("late"));
    let server = Setup::default().with_user().start().await?;
    let api = server.api()?;
    push_image(&api, "team/app", "v1", 1).await?;
    pull_image(&api, "team/app", "v1").await?;
    pulled(&server, 1).await?;
    server.succeeds(&["audit", "checkpoint"]).await?;
    server.succeeds(&["backup", &archive]).await?;
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    ensure!(listed.contains("audit trail up to record"), "{listed}");
    let point = listed.split(':').next().context("no point")?.to_owned();

    // Everything is there again, and from where somebody called can be searched.
    let restored = succeeds(&home, &["restore", &archive, "--data-dir", &early]).await?;
    ensure!(restored.contains("records of the audit trail"), "{restored}");
    let records = export(&home, &early).await?;
    let pull = records.iter().find(|record| record["action"] == "pull").context("no pull")?;
    ensure!(pull["name"] == USER && pull["client"] == "127.0.0.1", "{pull:#}");
    let again = Setup::default().with_user().in_dir(Path::new(&early)).start().await?;
    pull_image(&again.api()?, "team/app", "v1").await?;
    pulled(&again, 2).await?;
    let verified = again.succeeds(&["audit", "verify"]).await?;
    ensure!(verified.ends_with("whole\n") && verified.contains("checkpoints agree"), "{verified}");
    let same = export(&home, &early).await?;
    ensure!(
        same[..records.len()] == records[..] && same.len() > records.len(),
        "the trail went on elsewhere"
    );

    // Who was erased since is not brought back by an older point.
    server.succeeds(&["audit", "erase", USER, "--still-active", "--yes"]).await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.succeeds(&["backup", &archive]).await?;
    succeeds(&home, &["restore", &archive, "--point", &point, "--data-dir", &late]).await?;
    let forgotten = export(&home, &late).await?;
    let [same @ .., erasure, restored, _read] = &forgotten[..] else { anyhow::bail!("{forgotten:#?}") };
    ensure!(same.len() + 2 == records.len(), "{} records, {}", same.len(), records.len());
    ensure!(erasure["action"] == "erase" && erasure["detail"]["point"] == point, "{erasure:#}");
    ensure!(restored["action"] == "restore", "{restored:#}");
    let erased = &erasure["detail"]["subject"];
    ensure!(forgotten.iter().any(|record| record["actor"] == *erased), "{erasure:#}");
    for record in forgotten.iter().filter(|record| record["kind"] == "user") {
        ensure!(record["name"].is_null() && record["client"].is_null(), "{record:#}");
    }
    let verified = succeeds(&home, &["audit", "verify", "--data-dir", &late]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");

    let verified = succeeds(&home, &["backup", "verify", &archive]).await?;
    ensure!(verified.contains("records of the audit trail: 0 problems"), "{verified}");
    succeeds(&home, &["backup", "prune", &archive, "--keep", "1"]).await?;
    let stretches = files(&Path::new(&archive).join("trail"))?;
    ensure!(stretches.len() == 1, "what no point needs goes: {stretches:?}");
    let text = std::fs::read(&stretches[0])?;
    std::fs::write(&stretches[0], &text[..text.len() / 2])?;
    let verified = run(&home, &["backup", "verify", &archive]).await?;
    ensure!(!verified.success && verified.stdout.contains("can't be unpacked"), "{}", verified.text());
    Ok(())
}
