//! Backup and restore: what was acknowledged before a point in time comes back, whatever happened beside it and after.

pub(crate) mod bucket;
mod trail;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::{Postgres, Rgw};
use serde_json::{Value, json};

use crate::harness::{Api, Home, Outcome, Server, Setup, berth, content, digest_of, expect, manifest_of};

/// Runs `berth` without a server.
async fn run(home: &Home, arguments: &[&str]) -> Result<Outcome> {
    home.outcome(&berth()?.display().to_string(), arguments).await
}

/// Runs `berth` without a server; it must succeed.
async fn succeeds(home: &Home, arguments: &[&str]) -> Result<String> {
    home.run(&berth()?.display().to_string(), arguments).await
}

/// An image of three blobs: one that lies in its row, and two that lie in files.
pub(crate) async fn push_image(api: &Api, repository: &str, tag: &str, seed: u64) -> Result<String> {
    let mut layers = Vec::new();
    for (part, size) in [(0, 700), (1, 40_000), (2, 300_000)] {
        let bytes = content(seed * 10 + part, size);
        let digest = api.push_blob(repository, &bytes).await?;
        layers.push(json!({"mediaType": "application/vnd.example.layer", "digest": digest, "size": size}));
    }
    let manifest = manifest_of(&layers[0], &layers[1..], &json!({"seed": seed.to_string()}));
    api.push_manifest(repository, tag, &manifest).await
}

/// Pulls an image and everything it names; each digest is compared.
pub(crate) async fn pull_image(api: &Api, repository: &str, reference: &str) -> Result<String> {
    let manifest = api.pull_manifest(repository, reference).await?;
    let parsed: Value = serde_json::from_slice(&manifest)?;
    for blob in parsed["layers"].as_array().into_iter().flatten().chain(parsed.get("config")) {
        let digest = blob["digest"].as_str().context("a descriptor without digest")?;
        api.pull_blob(repository, digest).await.with_context(|| format!("of {repository}:{reference}"))?;
    }
    Ok(digest_of(&manifest))
}

/// Number in front of a word of a command's output.
fn number_before(text: &str, word: &str) -> Result<u64> {
    let (before, _) = text.split_once(word).with_context(|| format!("no {word} in {text}"))?;
    let number = before.split_whitespace().next_back().with_context(|| format!("nothing before {word}"))?;
    number.parse().with_context(|| format!("{number:?} before {word} in {text}"))
}

/// Files below a directory.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

#[tokio::test]
async fn everything_acknowledged_comes_back_after_the_loss_of_everything() -> Result<()> {
    let home = Home::new()?;
    let (archive, new, old) = (home.file("backup"), home.path().join("new"), home.path().join("old"));
    let mut server = Server::open().await?;
    let api = server.api()?;
    let mut images = Vec::new();
    for seed in 0..12 {
        let (repository, tag) = (format!("team/app-{}", seed % 3), format!("v{seed}"));
        let digest = push_image(&api, &repository, &tag, seed).await?;
        images.push((repository, tag, digest));
    }
    pull_image(&api, "team/app-0", "v0").await?;
    let first = server.succeeds(&["backup", &archive]).await?;
    ensure!(number_before(&first, " files of")? == 24, "{first}");

    // A tag moves, an image goes, an image comes: the first point keeps what was.
    let moved = push_image(&api, "team/app-0", "v0", 100).await?;
    expect(api.delete(&format!("/v2/team/app-1/manifests/{}", images[1].2)).await?, 202).await?;
    let events = server.events().await?.len();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = server.succeeds(&["backup", &archive]).await?;
    ensure!(number_before(&second, " files of")? == 2, "only what is new is copied: {second}");
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    ensure!(listed.lines().count() == 2, "{listed}");
    let verified = succeeds(&home, &["backup", "verify", &archive]).await?;
    ensure!(verified.contains("read 2 points") && verified.contains(": 0 problems"), "{verified}");

    let first_point = listed.split(':').next().context("no point")?.to_owned();
    server.kill()?;
    std::fs::remove_dir_all(server.data_dir())?;

    let restored = succeeds(&home, &["restore", &archive, "--data-dir", &new.display().to_string()]).await?;
    ensure!(number_before(&restored, " events")? == events as u64, "{restored}");
    ensure!(restored.contains("s per GB"), "{restored}");
    let mut after = Setup::default().in_dir(&new).start().await?;
    let api = after.api()?;
    for (number, (repository, tag, digest)) in images.iter().enumerate() {
        match number {
            0 => ensure!(pull_image(&api, repository, tag).await? == moved, "the tag points at what it did"),
            1 => ensure!(api.resolve(repository, tag).await?.is_none(), "a deleted image came back"),
            _ => ensure!(pull_image(&api, repository, tag).await? == *digest, "{repository}:{tag} changed"),
        }
    }
    after.verify().await?;
    ensure!(after.events().await?.len() == events, "events were lost or doubled");
    // The log goes on where it was, and what comes later is collected as ever.
    push_image(&api, "team/app-9", "new", 200).await?;
    after.collect().await?;
    after.verify().await?;
    after.scrub().await?;
    ensure!(pull_image(&api, "team/app-0", "v0").await? == moved);
    after.stop().await?;

    let old_dir = old.display().to_string();
    succeeds(&home, &["restore", &archive, "--point", &first_point, "--data-dir", &old_dir]).await?;
    let before = Setup::default().in_dir(&old).start().await?;
    let api = before.api()?;
    for (repository, tag, digest) in &images {
        ensure!(pull_image(&api, repository, tag).await? == *digest, "{repository}:{tag} changed");
    }
    before.verify().await?;
    Ok(())
}

/// The snapshot names bytes that a collection beside it would free before they are copied.
#[tokio::test]
async fn a_backup_beside_pushes_deletions_and_collections_lacks_nothing() -> Result<()> {
    let home = Home::new()?;
    let archive = home.file("backup");
    let server = Setup::default().with_config("gc:\n  untagged: delete\n").start().await?;
    let api = server.api()?;
    let churn = async {
        for seed in 0..60 {
            // Collection without delay may take a blob before its manifest comes; that push is not acknowledged.
            if let Ok(digest) = push_image(&api, "churn/app", "latest", seed).await
                && seed % 2 == 0
            {
                expect(api.delete(&format!("/v2/churn/app/manifests/{digest}")).await?, 202).await?;
            }
        }
        anyhow::Ok(())
    };
    let collections = async {
        for _ in 0..6 {
            server.collect().await?;
        }
        anyhow::Ok(())
    };
    let backups = async {
        for _ in 0..6 {
            let text = server.succeeds(&["backup", &archive]).await?;
            ensure!(text.contains(", 0 damaged"), "{text}");
        }
        anyhow::Ok(())
    };
    let (churned, collected, backed_up) = tokio::join!(churn, collections, backups);
    churned?;
    collected?;
    backed_up?;
    let verified = succeeds(&home, &["backup", "verify", &archive]).await?;
    ensure!(verified.contains("read 6 points") && verified.contains(": 0 problems"), "{verified}");
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    for (number, point) in listed.lines().filter_map(|line| line.split(':').next()).enumerate() {
        let dir = home.path().join(format!("restored-{number}"));
        let data = dir.display().to_string();
        succeeds(&home, &["restore", &archive, "--point", point, "--data-dir", &data]).await?;
        succeeds(&home, &["gc", "--verify", "--data-dir", &data]).await?;
    }
    server.verify().await?;
    Ok(())
}

#[tokio::test]
async fn a_backup_that_was_killed_holds_collection_off_no_longer_than_its_lease() -> Result<()> {
    let home = Home::new()?;
    let server = Server::open().await?;
    let api = server.api()?;
    for seed in 0..40 {
        push_image(&api, "killed/app", &format!("v{seed}"), seed).await?;
    }
    let (archive, data) = (home.file("backup"), server.data_dir().display().to_string());
    let mut command = home.command(&berth()?.display().to_string());
    let mut child = command.args(["backup", &archive, "--data-dir", &data]).spawn()?;
    let begin = Instant::now();
    while !Path::new(&archive).join("points").is_dir()
        || std::fs::read_dir(Path::new(&archive).join("points"))?.next().is_none()
    {
        ensure!(begin.elapsed() < Duration::from_secs(30), "the backup does not begin");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await?;
    // Killed in time it left half a backup; else this tells nothing, but the next lines hold all the same.
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    server.collect().await?;
    ensure!(begin.elapsed() < Duration::from_mins(1), "collection waited {:?}", begin.elapsed());
    server.succeeds(&["backup", &archive]).await?;
    let halves = listed.lines().filter(|line| line.contains("half a backup")).count();
    let pruned = succeeds(&home, &["backup", "prune", &archive, "--keep", "1"]).await?;
    ensure!(pruned.contains("1 points stay") && number_before(&pruned, " points and")? >= halves as u64);
    let verified = succeeds(&home, &["backup", "verify", &archive]).await?;
    ensure!(verified.contains("read 1 points") && verified.contains(": 0 problems"), "{verified}");
    Ok(())
}

#[tokio::test]
async fn damage_is_reported_and_never_restored_as_whole() -> Result<()> {
    let home = Home::new()?;
    let archive = home.file("backup");
    let server = Server::open().await?;
    let api = server.api()?;
    push_image(&api, "damage/app", "whole", 1).await?;
    push_image(&api, "damage/app", "broken", 2).await?;
    let lost = digest_of(&content(22, 300_000));
    let hex = lost.trim_start_matches("sha256:");
    let stored = files(&server.blobs_dir())?;
    let file = stored.iter().find(|path| path.to_string_lossy().contains(hex)).context("no such file")?;
    let mut bytes = std::fs::read(file)?;
    bytes[1000] ^= 1;
    std::fs::write(file, &bytes)?;

    let outcome = server.berth(&["backup", &archive]).await?;
    ensure!(!outcome.success && outcome.stdout.contains(&lost), "{}", outcome.text());
    let data = home.file("restored");
    let outcome = run(&home, &["restore", &archive, "--data-dir", &data]).await?;
    ensure!(!outcome.success && outcome.stdout.contains(&lost), "{}", outcome.text());
    let restored = Setup::default().in_dir(Path::new(&data)).start().await?;
    let there = restored.api()?;
    pull_image(&there, "damage/app", "whole").await?;
    expect(there.get(&format!("/v2/damage/app/blobs/{lost}")).await?, 404).await?;
    // Pushed again it heals, there and in the next backup.
    push_image(&there, "damage/app", "broken", 2).await?;
    pull_image(&there, "damage/app", "broken").await?;
    restored.collect().await?;
    restored.verify().await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    restored.succeeds(&["backup", &archive]).await?;
    Ok(())
}

#[tokio::test]
async fn a_damaged_or_half_backup_is_recognised() -> Result<()> {
    let home = Home::new()?;
    let archive = home.file("backup");
    let server = Server::open().await?;
    push_image(&server.api()?, "half/app", "one", 1).await?;
    server.succeeds(&["backup", &archive]).await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    push_image(&server.api()?, "half/app", "two", 2).await?;
    server.succeeds(&["backup", &archive]).await?;
    let points = std::fs::read_dir(Path::new(&archive).join("points"))?;
    let mut points: Vec<PathBuf> = points.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    points.sort();
    // A last word that can't be read bars its own point only, and nothing is removed.
    std::fs::write(points[1].join("backup.json"), "{")?;
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    ensure!(listed.contains("can't be read") && listed.contains(" blobs of "), "{listed}");
    let name = points[1].file_name().and_then(|name| name.to_str()).context("a point without a name")?;
    for arguments in [&["verify"][..], &["verify", "--point", name], &["prune", "--keep", "1"]] {
        let refused = run(&home, &[&["backup", arguments[0], &archive], &arguments[1..]].concat()).await?;
        ensure!(!refused.success && refused.text().contains("backup.json"), "{}", refused.text());
    }
    ensure!(points[0].join("backup.json").exists() && points[1].join("backup.json").exists());
    std::fs::remove_file(points[1].join("backup.json"))?;
    let listed = succeeds(&home, &["backup", "list", &archive]).await?;
    ensure!(listed.contains("half a backup"), "{listed}");
    // Without its last word the later point is none: the earlier one is the latest.
    let data = home.file("earlier");
    succeeds(&home, &["restore", &archive, "--data-dir", &data]).await?;
    let restored = Setup::default().in_dir(Path::new(&data)).start().await?;
    ensure!(restored.api()?.resolve("half/app", "two").await?.is_none());
    pull_image(&restored.api()?, "half/app", "one").await?;

    let again = run(&home, &["restore", &archive, "--data-dir", &data]).await?;
    ensure!(!again.success && again.stderr.contains("in use"), "{}", again.text());
    drop(restored);
    let again = run(&home, &["restore", &archive, "--data-dir", &data]).await?;
    ensure!(!again.success && again.stderr.contains("empty data directory"), "{}", again.text());

    // A changed blob in the archive is found, by verify and by restore.
    let blob = files(&Path::new(&archive).join("blobs"))?.pop().context("no blobs")?;
    std::fs::write(&blob, b"something else")?;
    let verified = run(&home, &["backup", "verify", &archive]).await?;
    ensure!(!verified.success && verified.stdout.contains("do not match"), "{}", verified.text());
    // So is a changed row: such a point is refused, and leaves a directory that nobody serves.
    let tags = points[0].join("tag.jsonl");
    let text = std::fs::read_to_string(&tags)?;
    std::fs::write(&tags, text.replace("\"one\"", "\"two\""))?;
    let other = home.file("other");
    let refused = run(&home, &["restore", &archive, "--data-dir", &other]).await?;
    ensure!(!refused.success && refused.stderr.contains("tag.jsonl is damaged"), "{}", refused.text());
    let refused = run(&home, &["restore", &archive, "--data-dir", &other]).await?;
    ensure!(!refused.success && refused.stderr.contains("tag.jsonl is damaged"), "{}", refused.text());
    let refused = run(&home, &["gc", "--verify", "--data-dir", &other]).await?;
    ensure!(!refused.success && refused.stderr.contains("no catalog"), "{}", refused.text());
    Ok(())
}

/// Where one catalog and one store lie that no data directory holds.
pub(crate) fn scaled(home: &Home, database: &str) -> Result<String> {
    let gateway = Rgw::shared();
    let (access, secret) =
        (home.write("access-key", gateway.access_key())?, home.write("secret-key", gateway.secret_key())?);
    Ok(format!(
        "database:\n  url: {database}\nstorage:\n  bucket:\n    url: s3://{}\n    endpoint: {}\n    region: {}\n    \
         access_key_id_file: {}\n    secret_access_key_file: {}\n",
        gateway.bucket(),
        gateway.endpoint(),
        gateway.region(),
        access.display(),
        secret.display(),
    ))
}

/// A database says that a restore has not filled it; no node starts on it, and the same command goes on, also beside a disk.
#[tokio::test]
async fn a_database_that_is_being_restored_is_not_served() -> Result<()> {
    let home = Home::new()?;
    let (archive, data) = (home.file("backup"), home.file("data"));
    let yaml = format!("database:\n  url: {}\n", Postgres::shared().database());
    let config = home.write("berth.yaml", &yaml)?.display().to_string();
    let old = Server::open().await?;
    let digest = push_image(&old.api()?, "half/app", "v1", 1).await?;
    old.succeeds(&["backup", &archive]).await?;
    let files = files(Path::new(&archive))?;
    let tags = files.iter().find(|path| path.ends_with("tag.jsonl")).context("no tags")?;
    let away = home.path().join("away");
    std::fs::rename(tags, &away)?;
    let place = ["--config", &config, "--data-dir", &data];
    let restore = [&["restore", &archive], &place[..]].concat();
    let half = run(&home, &restore).await?;
    ensure!(!half.success && half.stderr.contains("tag.jsonl"), "{}", half.text());
    let early = run(&home, &[&["serve"], &place[..]].concat()).await?;
    ensure!(!early.success && early.stderr.contains("is being restored"), "{}", early.text());
    let status = succeeds(&home, &[&["migrate", "status"], &place[..]].concat()).await?;
    ensure!(status.contains("is being restored here"), "{status}");
    std::fs::rename(&away, tags)?;
    let text = succeeds(&home, &restore).await?;
    ensure!(text.contains("rows were there") && text.contains(", 0 problems"), "{text}");
    let new = Setup::default().with_config(&yaml).in_dir(Path::new(&data)).start().await?;
    ensure!(pull_image(&new.api()?, "half/app", "v1").await? == digest, "another image");
    new.verify().await?;
    Ok(())
}

/// A backup depends on no database and no store: what one disk held comes to Postgres and a bucket, and back to a disk.
#[tokio::test]
async fn moves_from_a_disk_to_postgres_and_a_bucket_and_back() -> Result<()> {
    let home = Home::new()?;
    let (archive, yaml) = (home.file("backup"), scaled(&home, &Postgres::shared().database())?);
    let config = home.write("scaled.yaml", &yaml)?.display().to_string();
    let small = Server::open().await?;
    let mut images = Vec::new();
    for seed in 0..6 {
        let tag = format!("v{seed}");
        images.push((push_image(&small.api()?, "moved/app", &tag, seed).await?, tag));
    }
    small.succeeds(&["backup", &archive]).await?;
    small.succeeds(&["read-only", "on"]).await?;
    small.succeeds(&["backup", &archive]).await?;
    let events = small.events().await?;
    let restored = succeeds(&home, &["restore", &archive, "--config", &config]).await?;
    ensure!(restored.contains(", 0 problems"), "{restored}");
    // Once more it finds that everything is there, and brings nothing.
    let again = succeeds(&home, &["restore", &archive, "--config", &config]).await?;
    ensure!(again.contains("rows were there") && again.contains(", 0 problems"), "{again}");

    let large = Setup::default().with_config(&yaml).start().await?;
    let api = large.api()?;
    for (digest, tag) in &images {
        ensure!(pull_image(&api, "moved/app", tag).await? == *digest, "{tag} changed");
    }
    let digest = push_image(&api, "moved/app", "later", 50).await?;
    images.push((digest, "later".to_owned()));
    expect(api.delete(&format!("/v2/moved/app/manifests/{}", images[0].0)).await?, 202).await?;
    let refused = run(&home, &["restore", &archive, "--config", &config]).await?;
    ensure!(!refused.success && refused.stderr.contains("not of point"), "{}", refused.text());
    let back = home.file("backup-of-the-large");
    let text = large.succeeds(&["backup", &back]).await?;
    ensure!(text.contains(", 0 damaged"), "{text}");
    // What had happened is in it, sealed or not.
    let verified = succeeds(&home, &["backup", "verify", &back]).await?;
    ensure!(verified.contains(": 0 problems"), "{verified}");
    large.verify().await?;
    let data = home.file("small-again");
    succeeds(&home, &["restore", &back, "--data-dir", &data]).await?;
    let small = Setup::default().in_dir(Path::new(&data)).start().await?;
    let api = small.api()?;
    for (digest, tag) in &images[1..] {
        ensure!(pull_image(&api, "moved/app", tag).await? == *digest, "{tag} changed");
    }
    ensure!(api.resolve("moved/app", &images[0].1).await?.is_none(), "a deleted image came back");
    let log = small.events().await?;
    ensure!(log.len() == events.len() + 4 && log[..events.len()] == events[..], "the log is another");
    small.verify().await?;
    Ok(())
}
