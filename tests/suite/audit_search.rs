//! The audit trail answers Elasticsearch's own client as an engine does that the same records were shipped to.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::{OpenSearch, search_python};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Server, Setup, USER, content, manifest_of};

/// Longer than shipping takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
const INDEX: &str = "berth-audit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_s_client_finds_the_same_as_in_a_real_engine() -> Result<()> {
    let engine = tokio::task::spawn_blocking(OpenSearch::start).await?;
    let directory = tempfile::tempdir()?;
    let lines = directory.path().join("lines.json");
    let ship = format!(
        "audit:\n  ship:\n    url: {}\n    index: {INDEX}\n  lines:\n    to: file\n    path: {}\n",
        engine.url(),
        lines.display()
    );
    let mut server = Setup::default().with_administrator().with_config(&ship).start().await?;
    work(&server, 0).await?;
    let (before, _) = shipped(&server, &engine).await?;
    ensure!(before >= 20, "only {before} records were shipped");

    // While the engine is away records wait in the trail, also when Berth itself dies meanwhile.
    engine.kill();
    work(&server, 1).await?;
    server.kill()?;
    server.start().await?;
    work(&server, 2).await?;
    let engine = tokio::task::spawn_blocking(move || {
        engine.resume();
        engine
    });
    let engine = engine.await?;
    let (after, until) = shipped(&server, &engine).await?;
    ensure!(after > before, "{after} records after {before}");

    compare(&server, &engine, until)?;
    let lines = std::fs::read_to_string(lines)?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(
        lines.iter().any(|line| line["action"] == "push" && line["@timestamp"].is_string()),
        "no line of a push"
    );
    let mut ids: Vec<_> = lines.iter().map(|line| line["event"]["id"].as_str().unwrap_or_default()).collect();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == lines.len(), "a record has two lines");
    Ok(())
}

/// Pushes, pulls, lists and deletes.
async fn work(server: &Server, round: usize) -> Result<()> {
    let api = server.api()?;
    for number in 0..4 {
        let repository = format!("project-{}/app-{number}", number % 2);
        let config = content(u64::try_from(round * 10 + number)?, 1 << 10);
        let digest = api.push_blob(&repository, &config).await?;
        let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len() });
        api.push_manifest(&repository, &format!("v{round}"), &manifest_of(&config, &[], &json!({}))).await?;
        for _ in 0..=number {
            api.get(&format!("/v2/{repository}/manifests/v{round}")).await?;
        }
        api.get(&format!("/v2/{repository}/tags/list")).await?;
    }
    api.delete(&format!("/v2/project-1/app-3/manifests/v{round}")).await?;
    Ok(())
}

/// Waits until everything that has happened so far is in the engine, each record once. Returns how many they are, and until when: that
/// somebody asks is recorded itself.
async fn shipped(server: &Server, engine: &OpenSearch) -> Result<(u64, u64)> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::new();
    let now = now();
    let until = json!({ "query": { "range": { "@timestamp": { "lt": now } } } });
    let begun = Instant::now();
    loop {
        let here = http
            .post(format!("http://{}/api/v1/audit/_count", server.host()))
            .basic_auth(USER, Some(PASSWORD))
            .json(&until)
            .send()
            .await?;
        ensure!(here.status().is_success(), "{}: {}", here.status(), here.text().await?);
        let here = here.json::<Value>().await?["count"].as_u64().context("no count")?;
        let ask = async |path: &str| -> Result<Value> {
            Ok(http
                .post(format!("{}/{INDEX}/{path}", engine.url()))
                .json(&until)
                .send()
                .await?
                .json()
                .await?)
        };
        http.post(format!("{}/{INDEX}/_refresh", engine.url())).send().await?;
        let there = ask("_count").await?["count"].as_u64();
        if there == Some(here) && begun.elapsed() > Duration::from_secs(2) {
            return Ok((here, now));
        }
        ensure!(begun.elapsed() < PATIENCE, "{there:?} of {here} records were shipped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment up to which two engines are compared")]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Lets the real clients ask both.
fn compare(server: &Server, engine: &OpenSearch, until: u64) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/audit_search/compare.py");
    let output = Command::new(search_python())
        .arg(script)
        .arg(format!("http://{}/api/v1/audit", server.host()))
        .args([USER, PASSWORD, &engine.url(), INDEX, &until.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains("queries are answered alike"), "{said}");
    Ok(())
}

/// Who may push may not read who pushed; and what is asked in no known way is refused as Elasticsearch does it.
#[tokio::test]
async fn others_are_refused_in_elasticsearch_s_shape() -> Result<()> {
    let (pusher, auditor) =
        (Setup::default().with_user().start().await?, Setup::default().with_administrator().start().await?);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::new();
    let ask = |server: &Server, path: &str| http.post(format!("http://{}/api/v1/audit{path}", server.host()));
    let refused = async |request: reqwest::RequestBuilder, status: u16, kind: &str| -> Result<()> {
        let response = request.send().await?;
        let product = response.headers().get("x-elastic-product").cloned();
        ensure!(product.is_some_and(|product| product == "Elasticsearch"), "no product is named");
        ensure!(response.status() == status, "{} instead of {status}", response.status());
        let body: Value = response.json().await?;
        ensure!(body["error"]["type"] == kind && body["status"] == status, "{body}");
        ensure!(body["error"]["root_cause"][0]["type"] == kind, "{body}");
        Ok(())
    };
    refused(ask(&pusher, "/_search"), 401, "security_exception").await?;
    refused(ask(&pusher, "/_search").basic_auth(USER, Some("wrong")), 401, "security_exception").await?;
    refused(ask(&pusher, "/_search").basic_auth(USER, Some(PASSWORD)), 403, "security_exception").await?;
    refused(ask(&pusher, "/_count").basic_auth(USER, Some(PASSWORD)), 403, "security_exception").await?;
    let ask = |path: &str| ask(&auditor, path).basic_auth(USER, Some(PASSWORD));
    refused(ask("/elsewhere/_search"), 404, "index_not_found_exception").await?;
    refused(ask("/berth-audit/_delete_by_query"), 400, "illegal_argument_exception").await?;
    refused(ask("/_search?scroll=1m"), 400, "illegal_argument_exception").await?;
    refused(ask("/_search").body("action:push"), 406, "media_type_header_exception").await?;
    let json = |text: String| ask("/_search").header("content-type", "application/json").body(text);
    refused(json("{".into()), 400, "parsing_exception").await?;
    refused(json("[".repeat(100_000)), 400, "parsing_exception").await?;
    let lines =
        |text: &'static str| ask("/_msearch").header("content-type", "application/x-ndjson").body(text);
    let many: Value =
        lines("{\"index\":\"berth-audit\"}\n{\"size\":0}\n{}\n{\"size\":-1}\n").send().await?.json().await?;
    ensure!(many["responses"][0]["status"] == 200 && many["responses"][1]["status"] == 400, "{many}");
    refused(lines("{}"), 400, "illegal_argument_exception").await?;
    let answer = ask("/_search").send().await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    // The answer may come before the last of the body has gone, and the connection ends with it.
    if let Ok(response) = json(" ".repeat(2 << 20)).send().await {
        ensure!(response.status() == 413, "{}", response.status());
    }
    Ok(())
}
