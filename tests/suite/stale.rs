//! A server whose database is away serves what it was asked for before, and says so: to those who may pull it, and for so long.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use berth_engines::{Link, Postgres};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Api, Server, Setup, content, digest_of, expect, manifest_of};

/// How long the server serves what it remembers.
const SECONDS: u64 = 5;
/// Longest that anything here may take.
const WELL_WITHIN: Duration = Duration::from_secs(20);

/// Fails unless the answer says how old it is, in seconds.
fn age(what: &str, answer: &Response) -> Result<u64> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let age = header("berth-stale").with_context(|| format!("{what}: {} has no label", answer.status()))?;
    ensure!(header("age") == Some(age), "{what}: {:?}", answer.headers());
    Ok(age.parse()?)
}

async fn until(what: &str, is_so: impl AsyncFn() -> Result<bool>) -> Result<Duration> {
    let begin = Instant::now();
    while !is_so().await? {
        if begin.elapsed() > WELL_WITHIN {
            bail!("{what} not after {WELL_WITHIN:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(begin.elapsed())
}

/// A server with one user, on a line to its database that can be cut.
async fn start() -> Result<(Link, Server)> {
    let database = Postgres::shared();
    let link = Link::to(database.address());
    let url = database.database().replace(&database.address().to_string(), &link.address().to_string());
    let config =
        format!("database:\n  url: {url}\n  patience_seconds: 1\nstorage:\n  serve_stale_seconds: {SECONDS}");
    Ok((link, Setup::default().with_config(&config).with_user().start().await?))
}

/// Pushes a manifest of one blob under a tag; hands back what to pull it by: the tag, its digest, and the blob's.
async fn push(api: &Api, repository: &str, tag: &str) -> Result<[String; 3]> {
    let bytes = content(3, 100_000);
    let blob = api.push_blob(repository, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    let manifest = manifest_of(&config, &[], &json!({"tag": tag}));
    api.push_manifest(repository, tag, &manifest).await?;
    let manifests = format!("/v2/{repository}/manifests");
    let digest = digest_of(&manifest);
    Ok([
        format!("{manifests}/{tag}"),
        format!("{manifests}/{digest}"),
        format!("/v2/{repository}/blobs/{blob}"),
    ])
}

async fn metric(api: &Api, name: &str) -> Result<f64> {
    let metrics = api.get("/metrics").await?.text().await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)).context("no such metric")?;
    Ok(line.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_what_was_pulled_is_served_labelled_and_for_so_long() -> Result<()> {
    let (link, server) = start().await?;
    let api = server.api()?;
    let pulled = push(&api, "team/app", "1").await?;
    let [unpulled, ..] = push(&api, "team/app", "2").await?;
    let stranger = Api::new(&format!("http://{}", server.host()), None, None)?;
    for path in &pulled {
        let fresh = expect(api.get(path).await?, 200).await?;
        ensure!(fresh.headers().get("berth-stale").is_none() && fresh.headers().get("age").is_none());
    }

    tokio::task::block_in_place(|| link.cut());
    let begin = Instant::now();
    let away = async || Ok::<_, anyhow::Error>(api.get("/v2/team/app/tags/list").await?.status() == 503);
    until("the outage is noticed", away).await?;
    let mut labelled = 0.0;
    for path in &pulled {
        for method in [Method::GET, Method::HEAD] {
            let answer = expect(api.request(method, path)?.send().await?, 200).await?;
            ensure!(age(path, &answer)? <= SECONDS);
            labelled += 1.0;
        }
    }
    let part = api.request(Method::GET, &pulled[2])?.header("range", "bytes=10-19").send().await?;
    age("a part", &part)?;
    ensure!(part.status() == 206 && part.bytes().await? == content(3, 100_000)[10..20]);
    let shifting = metric(&api, "berth_stale_pulls_total").await? - labelled - 1.0;
    ensure!(shifting.abs() < 0.1, "not each was counted: {shifting}");

    // Neither those who may not pull, nor what nobody pulled here, nor by way of another repository.
    let start = Instant::now();
    for path in &pulled {
        ensure!(stranger.get(path).await?.status() == 401, "{path} was given to a stranger");
        let elsewhere = path.replace("team/app", "team/other");
        ensure!(api.get(&elsewhere).await?.status() == 503, "{elsewhere}");
    }
    ensure!(api.get(&unpulled).await?.status() == 503, "{unpulled}");
    let refused = api.request(Method::POST, "/v2/team/app/blobs/uploads/")?.send().await?;
    ensure!(refused.status() == 503 && refused.headers().contains_key("retry-after"), "a push");
    ensure!(start.elapsed() < Duration::from_secs(2), "refusals took {:?}", start.elapsed());
    let readiness = expect(api.get("/readyz").await?, 200).await?.json::<Value>().await?;
    ensure!(
        readiness == json!({"status": "degraded", "out": ["database"], "read_only": false}),
        "{readiness}"
    );

    let gone = async || {
        let mut refused = true;
        for path in &pulled {
            refused &= api.get(path).await?.status() == 503;
        }
        Ok::<_, anyhow::Error>(refused)
    };
    until("what is too old is refused", gone).await?;
    let lasted = begin.elapsed();
    let most = Duration::from_secs(SECONDS);
    ensure!((most.mul_f64(0.7)..most * 2).contains(&lasted), "it was served for {lasted:?}");
    ensure!(api.get("/readyz").await?.status() == 503, "ready with nothing to serve");

    tokio::task::block_in_place(|| link.mend());
    let fresh = async || {
        let answer = api.get(&pulled[0]).await?;
        Ok::<_, anyhow::Error>(answer.status() == 200 && answer.headers().get("berth-stale").is_none())
    };
    let back = until("it is as before", fresh).await?;
    println!("served stale for {lasted:?}, back after {back:?}");
    push(&api, "team/app", "3").await?;
    ensure!(api.get("/readyz?strict").await?.status() == 200, "not ready again");
    Ok(())
}
