//! Backups in a bucket: the same as in a directory, whatever breaks on the way.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::{Link, Rgw};
use serde_json::Value;

use super::{files, number_before, pull_image, push_image, run, succeeds};
use crate::harness::{Home, Server, Setup, berth};

/// A prefix in a bucket of the shared gateway, as the command line names it.
pub(crate) struct Place {
    bucket: String,
    url: String,
    flags: Vec<String>,
}

impl Place {
    pub(crate) fn new(home: &Home) -> Result<Self> {
        Self::behind(home, Rgw::shared().address())
    }

    /// One that is reached at another address.
    pub(crate) fn behind(home: &Home, address: SocketAddr) -> Result<Self> {
        let gateway = Rgw::shared();
        let bucket = gateway.bucket();
        let id = home.write("backup-id", gateway.access_key())?.display().to_string();
        let secret = home.write("backup-secret", gateway.secret_key())?.display().to_string();
        let endpoint = format!("http://{address}");
        let flags = [
            ("--endpoint", endpoint.as_str()),
            ("--region", gateway.region()),
            ("--access-key-id-file", &id),
            ("--secret-access-key-file", &secret),
        ];
        let flags =
            flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]).collect();
        Ok(Self { url: format!("s3://{bucket}/some/prefix"), bucket, flags })
    }

    /// Puts `verb`, the place and how to reach it in front of what else a command is told.
    pub(crate) fn line<'a>(&'a self, verb: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
        let mut line = verb.to_vec();
        line.push(&self.url);
        line.extend(self.flags.iter().map(String::as_str));
        line.extend(rest);
        line
    }

    /// Names of the objects below the prefix.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let listed: Vec<Value> = serde_json::from_str(&Rgw::shared().list(&self.bucket))?;
        let names = listed.iter().filter_map(|object| object["name"].as_str());
        Ok(names.filter_map(|name| name.strip_prefix("some/prefix/")).map(str::to_owned).collect())
    }

    fn count(&self, folder: &str) -> Result<usize> {
        Ok(self.names()?.iter().filter(|name| name.starts_with(folder)).count())
    }

    /// Copies all objects into a directory, as any other program would.
    fn copy_to(&self, dir: &Path) -> Result<()> {
        for name in self.names()? {
            let path = dir.join(&name);
            std::fs::create_dir_all(path.parent().context("no parent")?)?;
            std::fs::write(&path, Rgw::shared().get(&self.bucket, &format!("some/prefix/{name}")))?;
        }
        Ok(())
    }

    /// Copies a directory's files to objects.
    fn copy_from(&self, dir: &Path) -> Result<()> {
        for path in files(dir)? {
            let name = path.strip_prefix(dir)?.to_str().context("a name that is no text")?;
            Rgw::shared().put(&self.bucket, &format!("some/prefix/{name}"), &std::fs::read(&path)?);
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_bucket_keeps_what_a_directory_keeps_and_may_be_copied_to_one() -> Result<()> {
    let home = Home::new()?;
    let (place, other) = (Place::new(&home)?, Place::new(&home)?);
    let server = Server::open().await?;
    let api = server.api()?;
    let nothing = run(&home, &place.line(&["backup", "list"], &[])).await?;
    ensure!(!nothing.success && nothing.stderr.contains("holds no backup"), "{}", nothing.text());
    for seed in 0..3 {
        push_image(&api, "bucket/app", &format!("v{seed}"), seed).await?;
    }
    let first = server.succeeds(&place.line(&["backup"], &[])).await?;
    ensure!(number_before(&first, " files of")? == 6, "{first}");
    let later = push_image(&api, "bucket/app", "later", 50).await?;
    let second = server.succeeds(&place.line(&["backup"], &[])).await?;
    ensure!(number_before(&second, " files of")? == 2, "only what is new is sent: {second}");
    let verified = succeeds(&home, &place.line(&["backup", "verify"], &[])).await?;
    ensure!(verified.contains("read 2 points") && verified.contains(": 0 problems"), "{verified}");

    // As a directory it is whole, takes another point that copies nothing, and as another bucket it is restored.
    let dir = home.path().join("copied");
    place.copy_to(&dir)?;
    let archive = dir.display().to_string();
    let verified = succeeds(&home, &["backup", "verify", &archive]).await?;
    ensure!(verified.contains("read 2 points") && verified.contains(": 0 problems"), "{verified}");
    let third = server.succeeds(&["backup", &archive]).await?;
    ensure!(number_before(&third, " files of")? == 0, "{third}");
    other.copy_from(&dir)?;
    let listed = succeeds(&home, &other.line(&["backup", "list"], &[])).await?;
    ensure!(listed.lines().count() == 3, "{listed}");
    let data = home.file("restored");
    let restored = succeeds(&home, &other.line(&["restore"], &["--data-dir", &data])).await?;
    ensure!(restored.contains(", 0 problems") && !restored.contains("interrupted"), "{restored}");
    let restored = Setup::default().in_dir(Path::new(&data)).start().await?;
    ensure!(pull_image(&restored.api()?, "bucket/app", "later").await? == later, "another image");
    restored.verify().await?;

    // What only the first points needed goes with them; what is damaged is found.
    api.delete(&format!("/v2/bucket/app/manifests/{later}")).await?;
    server.collect().await?;
    server.succeeds(&place.line(&["backup"], &[])).await?;
    let pruned = succeeds(&home, &place.line(&["backup", "prune"], &["--keep", "1"])).await?;
    ensure!(pruned.contains("removed 2 points and 2 files of 340000 bytes, 1 points stay"), "{pruned}");
    ensure!(place.count("blobs/")? == 6 && place.count("points/")? > 8, "{:?}", place.names()?);
    let blob = place.names()?.into_iter().find(|name| name.starts_with("blobs/")).context("no blob")?;
    Rgw::shared().put(&place.bucket, &format!("some/prefix/{blob}"), b"something else");
    let verified = run(&home, &place.line(&["backup", "verify"], &[])).await?;
    ensure!(!verified.success && verified.stdout.contains(": 1 problems"), "{}", verified.text());
    // Its size is wrong: the next backup sends it again.
    let healed = server.succeeds(&place.line(&["backup"], &[])).await?;
    ensure!(number_before(&healed, " files of")? == 1, "{healed}");
    succeeds(&home, &place.line(&["backup", "verify"], &[])).await?;
    Ok(())
}

/// A backup of twenty images behind a line so slow that half of it can be seen, and the command that takes it.
struct Torn {
    home: Home,
    line: Link,
    place: Place,
    server: Server,
}

impl Torn {
    async fn new() -> Result<Self> {
        let home = Home::new()?;
        let line = Link::to(Rgw::shared().address());
        let (place, server) = (Place::behind(&home, line.address())?, Server::open().await?);
        for seed in 0..20 {
            push_image(&server.api()?, "torn/app", &format!("v{seed}"), seed).await?;
        }
        Ok(Self { home, line, place, server })
    }

    /// Starts the backup, and returns when a part of the blobs is there.
    async fn half_way(&self) -> Result<tokio::process::Child> {
        // The small half of the blobs is through in a second, the others take several.
        self.line.throttle(60_000);
        let data = self.server.data_dir().display().to_string();
        let mut command = self.home.command(&berth()?.display().to_string());
        command
            .args(self.place.line(&["backup"], &["--data-dir", &data]))
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        while self.place.count("blobs/")? == 0 {
            ensure!(child.try_wait()?.is_none(), "it ended before anything was sent");
        }
        Ok(child)
    }

    /// Returns the number of blobs that a torn backup brought, which counts for nothing.
    async fn left(&self) -> Result<u64> {
        self.line.mend();
        let listed = succeeds(&self.home, &self.place.line(&["backup", "list"], &[])).await?;
        ensure!(listed.lines().all(|line| line.contains("half a backup")), "{listed}");
        let there = self.place.count("blobs/")? as u64;
        ensure!(there > 0 && there < 40, "{there} blobs are there: this tells nothing");
        Ok(there)
    }
}

#[tokio::test]
async fn a_backup_that_was_killed_counts_for_nothing_and_goes_on() -> Result<()> {
    let torn = Torn::new().await?;
    torn.half_way().await?.kill().await?;
    let there = torn.left().await?;
    let text = torn.server.succeeds(&torn.place.line(&["backup"], &[])).await?;
    ensure!(number_before(&text, " files of")? == 40 - there, "{there} were there: {text}");
    let pruned = succeeds(&torn.home, &torn.place.line(&["backup", "prune"], &["--keep", "1"])).await?;
    ensure!(pruned.contains("removed 1 points and 0 files"), "{pruned}");
    let verified = succeeds(&torn.home, &torn.place.line(&["backup", "verify"], &[])).await?;
    ensure!(verified.contains("read 1 points") && verified.contains(": 0 problems"), "{verified}");
    Ok(())
}

/// It is tried for a while, then said; collection is held off no longer.
#[tokio::test]
async fn a_bucket_that_goes_away_ends_a_backup_with_words_about_it() -> Result<()> {
    let torn = Torn::new().await?;
    let child = torn.half_way().await?;
    torn.line.cut();
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("not available"), "{said}");
    torn.left().await?;
    let begin = Instant::now();
    torn.server.collect().await?;
    ensure!(begin.elapsed() < Duration::from_secs(15), "collection waited {:?}", begin.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_restore_that_was_killed_goes_on_where_it_stopped() -> Result<()> {
    let home = Home::new()?;
    let line = Link::to(Rgw::shared().address());
    let (place, server) = (Place::behind(&home, line.address())?, Server::open().await?);
    let api = server.api()?;
    let mut images = Vec::new();
    for seed in 0..12 {
        images.push(push_image(&api, &format!("again/app-{seed}"), "one", seed).await?);
    }
    server.succeeds(&place.line(&["backup"], &[])).await?;
    let (stranger, other) = (Server::open().await?, home.file("other"));
    push_image(&stranger.api()?, "other/app", "one", 50).await?;
    stranger.succeeds(&["backup", &other]).await?;

    line.delay(Duration::from_millis(50));
    let data = home.path().join("data");
    let shown = data.display().to_string();
    let mut command = home.command(&berth()?.display().to_string());
    let arguments = place.line(&["restore"], &["--data-dir", &shown]);
    let mut child = command.args(&arguments).spawn()?;
    // Its first bytes have come: the repositories are in, the blobs' rows are not.
    while !data.join("store").is_dir() || files(&data.join("store"))?.len() < 4 {
        ensure!(child.try_wait()?.is_none(), "it ended before it could be killed");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill().await?;
    line.mend();
    // What is left is nobody's registry, and nothing else may be laid over it.
    let refused = run(&home, &["gc", "--verify", "--data-dir", &shown]).await?;
    ensure!(!refused.success && refused.stderr.contains("no catalog"), "{}", refused.text());
    let refused = run(&home, &["restore", &other, "--data-dir", &shown]).await?;
    ensure!(!refused.success && refused.stderr.contains("not of point"), "{}", refused.text());
    let restored = succeeds(&home, &arguments).await?;
    ensure!(restored.contains("12 rows were there from a restore that was interrupted"), "{restored}");
    ensure!(restored.contains("12 repositories, 12 manifests, 12 tags"), "{restored}");
    let again = Setup::default().in_dir(&data).start().await?;
    for (seed, digest) in images.iter().enumerate() {
        ensure!(pull_image(&again.api()?, &format!("again/app-{seed}"), "one").await? == *digest);
    }
    again.verify().await?;
    // The uploads that the killed one left are gone.
    ensure!(again.upload_files()?.is_empty(), "{:?}", again.upload_files()?);
    Ok(())
}

#[tokio::test]
async fn a_registrys_own_bucket_is_no_place_for_a_backup() -> Result<()> {
    let home = Home::new()?;
    let (place, own) = (Place::new(&home)?, Place::new(&home)?);
    let yaml = format!(
        "storage:\n  bucket:\n    url: {}\n    endpoint: {}\n    region: {}\n    access_key_id_file: {}\n    \
         secret_access_key_file: {}\n",
        own.url, own.flags[1], own.flags[3], own.flags[5], own.flags[7],
    );
    let server = Setup::default().with_config(&yaml).start().await?;
    push_image(&server.api()?, "own/app", "one", 1).await?;
    let refused = server.berth(&own.line(&["backup"], &[])).await?;
    ensure!(!refused.success && refused.stderr.contains("keeps its blobs at"), "{}", refused.text());
    // Who doesn't know that registry's configuration sees its store.
    let stranger = Server::open().await?;
    let refused = stranger.berth(&own.line(&["backup"], &[])).await?;
    ensure!(!refused.success && refused.stderr.contains("the blobs of a registry"), "{}", refused.text());

    let beside =
        Place { url: format!("{}/backup", own.url), bucket: own.bucket.clone(), flags: own.flags.clone() };
    let warned = server.berth(&beside.line(&["backup"], &[])).await?;
    ensure!(warned.success && warned.stderr.contains("the registry's own bucket"), "{}", warned.text());
    let other = server.berth(&place.line(&["backup"], &[])).await?;
    ensure!(other.success && other.stderr.is_empty(), "{}", other.text());
    server.scrub().await?;
    server.verify().await?;
    Ok(())
}
