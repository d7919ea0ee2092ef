//! Who may do what, by configuration and by commands beside a running server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Api, Server, Setup, USER, content, expect, manifest_of};

/// The roles of the mission, word for word.
const ROLES: &str = r#"roles:
  - name: developer
    policies:
      - resources: ["project/*"]
        actions: ["pull", "push"]
  - name: auditor
    policies:
      - resources: ["system/*"]
        actions: ["read"]"#;

/// Longest that a node takes to heed a change, on a machine that does other things as well.
const HEEDED: Duration = Duration::from_secs(5);

/// Asks until the answer is `status`, and returns what it says.
async fn until(api: &Api, method: &Method, path: &str, status: u16) -> Result<String> {
    let begin = Instant::now();
    loop {
        let answer = api.request(method.clone(), path)?.send().await?;
        if answer.status().as_u16() == status || begin.elapsed() > HEEDED {
            return Ok(expect(answer, status).await?.text().await?);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a command that must fail, and returns what it says.
async fn fails(server: &Server, arguments: &[&str]) -> Result<String> {
    let outcome = server.berth(arguments).await?;
    ensure!(!outcome.success, "berth {}: {}", arguments.join(" "), outcome.text());
    Ok(outcome.text())
}

#[tokio::test]
async fn roles_and_bindings_count_without_a_restart() -> Result<()> {
    let server = Setup::default().with_config(ROLES).with_user().start().await?;
    let (api, uploads) = (server.api()?, "/v2/library/app/blobs/uploads/");
    let listed = server.succeeds(&["role", "list"]).await?;
    ensure!(listed.contains("developer\tconfiguration") && listed.contains("guest\tbuilt in"), "{listed}");
    let shown = server.succeeds(&["role", "show", "auditor"]).await?;
    ensure!(shown.contains("system/*") && shown.contains("read"), "{shown}");

    api.push_blob("library/app", b"first").await?;
    let shown = server.succeeds(&["project", "show", "library"]).await?;
    ensure!(shown.starts_with("project library, private, made by ci at "), "{shown}");
    ensure!(!shown.contains("user:ci\tproject-admin"), "who made it got something by that: {shown}");

    let role = server.data_dir().join("../frozen.yaml");
    std::fs::write(
        &role,
        "name: frozen\npolicies:\n  - {resources: [project/library], actions: [push], effect: deny}\n",
    )?;
    let role = role.to_str().context("a path")?;
    server.succeeds(&["role", "set", role]).await?;
    server.succeeds(&["bind", "add", "user:ci", "frozen"]).await?;
    let refused = until(&api, &Method::POST, uploads, 403).await?;
    ensure!(
        refused.contains("role frozen, bound to user:ci everywhere, by pattern project/library"),
        "{refused}"
    );
    let told = fails(&server, &["role", "delete", "frozen"]).await?;
    ensure!(told.contains("bound to user:ci"), "{told}");
    server.succeeds(&["bind", "remove", "user:ci", "frozen"]).await?;
    until(&api, &Method::POST, uploads, 202).await?;
    server.succeeds(&["role", "delete", "frozen"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_public_project_is_open_to_whoever_has_no_credentials() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let (api, nobody) = (server.api()?, Api::new(&format!("http://{}", server.host()), None, None)?);
    let blob = api.push_blob("library/app", &content(1, 100)).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": 100});
    api.push_manifest("library/app", "1", &manifest_of(&config, &[], &json!({}))).await?;
    let path = "/v2/library/app/manifests/1";
    expect(nobody.get(path).await?, 401).await?;
    server.succeeds(&["project", "set", "library", "--public", "true"]).await?;
    until(&nobody, &Method::GET, path, 200).await?;
    let catalog = expect(nobody.get("/v2/_catalog").await?, 200).await?.text().await?;
    ensure!(catalog.contains("library/app"), "{catalog}");
    expect(nobody.request(Method::POST, "/v2/library/app/blobs/uploads/")?.send().await?, 401).await?;
    server.succeeds(&["project", "set", "library", "--public", "false"]).await?;
    until(&nobody, &Method::GET, path, 401).await?;
    let told = fails(&server, &["project", "delete", "library"]).await?;
    ensure!(told.contains("holds repositories"), "{told}");
    Ok(())
}

#[tokio::test]
async fn commands_explain_and_refuse_with_advice() -> Result<()> {
    let server = Setup::default().with_config(ROLES).with_user().start().await?;
    let repository = "project/library/repository/nginx";
    let said = server.succeeds(&["access", "explain", USER, "push", repository]).await?;
    ensure!(said.starts_with("allowed: role maintainer, bound to user:ci everywhere"), "{said}");
    let said = fails(&server, &["access", "explain", "eve", "push", repository]).await?;
    ensure!(said.starts_with(&format!("denied: no role held there allows push on {repository}")), "{said}");
    server.succeeds(&["project", "create", "library"]).await?;
    server.succeeds(&["bind", "add", "group:dev", "developer", "--project", "library"]).await?;
    server.succeeds(&["access", "explain", "group:dev", "push", repository]).await?;
    server.succeeds(&["access", "explain", "eve", "push", repository, "--group", "dev"]).await?;
    fails(&server, &["access", "explain", "group:dev", "delete", repository]).await?;
    fails(&server, &["access", "explain", "group:dev", "pull", "project/other/repository/nginx"]).await?;
    fails(&server, &["access", "explain", "robot+ci", "pull", repository]).await?;
    let listed = server.succeeds(&["bind", "list"]).await?;
    ensure!(listed.contains("group:dev\tdeveloper\tproject/library\torder:command"), "{listed}");
    ensure!(listed.contains("user:ci\tmaintainer\teverywhere\tconfiguration"), "{listed}");

    for (arguments, part) in [
        (vec!["bind", "add", "user:a", "nobody"], "berth role list"),
        (vec!["bind", "add", "user:a", "guest", "--project", "none"], "berth project create"),
        (vec!["bind", "add", "alice", "guest"], "user:NAME"),
        (vec!["bind", "remove", "user:a", "guest"], "nothing was bound so"),
        (vec!["project", "create", "Library"], "lower-case"),
        (vec!["project", "create", "library"], "exists already"),
        (vec!["role", "delete", "guest"], "built in"),
        (vec!["access", "explain", USER, "push", "library/nginx"], "project/NAME/repository/PATH"),
    ] {
        let told = fails(&server, &arguments).await?;
        ensure!(told.contains(part), "{arguments:?}: {told}");
    }
    let role = server.data_dir().join("../role.yaml");
    let role = role.to_str().context("a path")?;
    for (text, part) in [
        ("name: x\npolicies:\n  - {resources: [prject/a], actions: [pull]}", "neither system/ nor project/"),
        ("name: x\npolicies:\n  - {resources: [project/a], actions: [pul]}", "unknown variant `pul`"),
        ("name: x\nrules: []", "unknown field `rules`"),
    ] {
        std::fs::write(role, text)?;
        let told = fails(&server, &["role", "set", role]).await?;
        ensure!(told.contains(part), "{text}: {told}");
    }
    let kinds: Vec<_> = server.events().await?.into_iter().map(|event| event.kind).collect();
    ensure!(kinds == ["project_created", "binding_added"], "{kinds:?}");
    Ok(())
}
