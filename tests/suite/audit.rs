//! The audit trail of a running server: what clients do is there, survives `kill -9`, and can't be changed unseen.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Api, PASSWORD, Server, Setup, USER, content, expect, manifest_of};

const REPOSITORY: &str = "audit/trail";

/// What `berth audit export` prints.
async fn records(server: &Server) -> Result<Vec<Value>> {
    let text = server.succeeds(&["audit", "export"]).await?;
    text.lines().map(|line| serde_json::from_str(line).context("a record is no JSON")).collect()
}

/// Waits until there are records of which this is true: they come within a second, and the machine has other things to do.
async fn wait_for(server: &Server, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
    for _ in 0..200 {
        let records = records(server).await?;
        if is_so(&records) {
            return Ok(records);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{what}: not in the trail: {:#?}", records(server).await?)
}

fn count(records: &[Value], action: &str, outcome: &str) -> usize {
    records.iter().filter(|record| record["action"] == action && record["outcome"] == outcome).count()
}

async fn push(api: &Api, tag: &str) -> Result<()> {
    let bytes = content(1, 5_000);
    let blob = api.push_blob(REPOSITORY, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    api.push_manifest(REPOSITORY, tag, &manifest_of(&config, &[], &json!({"tag": tag}))).await?;
    Ok(())
}

#[tokio::test]
async fn what_clients_do_is_recorded_and_verified() -> Result<()> {
    let mut server = Setup::default().with_user().start().await?;
    let api = server.api()?;
    push(&api, "one").await?;
    let manifest = format!("/v2/{REPOSITORY}/manifests/one");
    expect(api.get(&manifest).await?, 200).await?;
    let url = format!("http://{}", server.host());
    let wrong = Api::new(&url, None, Some((USER, "wrong-horse")))?;
    expect(wrong.get(&manifest).await?, 401).await?;
    // No credentials: a challenge, which is not recorded.
    expect(Api::new(&url, None, None)?.get(&manifest).await?, 401).await?;

    let all = wait_for(&server, "push, pull, login", |records| {
        count(records, "push", "success") == 2
            && count(records, "pull", "success") == 1
            && count(records, "login", "failure") == 1
            && count(records, "login", "success") > 0
    })
    .await?;
    ensure!(count(&all, "configure", "success") == 1 && count(&all, "start", "success") == 1, "{all:#?}");
    for record in all.iter().filter(|record| record["action"] == "push" || record["action"] == "pull") {
        ensure!(record["name"] == USER && record["kind"] == "user", "{record:#}");
        ensure!(record["actor"].as_str().is_some_and(|actor| actor.starts_with("person-")), "{record:#}");
        ensure!(record["client"] == "127.0.0.1" && record["request_id"].is_string(), "{record:#}");
        ensure!(record["repository"] == REPOSITORY && record["project"] == "audit", "{record:#}");
    }
    let pull = all.iter().find(|record| record["action"] == "pull").context("no pull")?;
    ensure!(pull["tag"] == "one" && pull["status"] == 200, "{pull:#}");
    ensure!(pull["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{pull:#}");
    let failed = all.iter().find(|record| record["outcome"] == "failure").context("no failure")?;
    ensure!(
        failed["detail"]["reason"].as_str().is_some_and(|reason| !reason.contains(PASSWORD)),
        "{failed:#}"
    );

    let listed = server.succeeds(&["audit", "list", "--user", USER, "--action", "pull"]).await?;
    ensure!(listed.lines().count() == 1 && listed.contains(&format!("{REPOSITORY}:one@sha256:")), "{listed}");
    let verified = server.succeeds(&["audit", "verify"]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");
    let handed_out = server.data_dir().with_extension("checkpoint").display().to_string();
    server.succeeds(&["audit", "checkpoint", "--out", &handed_out]).await?;
    let key = server.succeeds(&["audit", "key"]).await?;

    server.stop().await?;
    let connection = rusqlite::Connection::open(server.data_dir().join("audit.db"))?;
    let position: i64 =
        connection
            .query_row("SELECT position FROM trail_record WHERE action = 'pull'", [], |row| row.get(0))?;
    connection.execute("UPDATE trail_record SET tag = 'two' WHERE position = $1", [position])?;
    let outcome =
        server.berth(&["audit", "verify", "--key", key.trim(), "--checkpoint", &handed_out]).await?;
    ensure!(!outcome.success && outcome.stdout.contains("NOT whole"), "{}", outcome.text());
    ensure!(outcome.stdout.contains(&format!("record {position}: altered")), "{}", outcome.text());
    Ok(())
}

/// Somebody has the file, and the server is down: each change is found, and said where it was made.
#[tokio::test]
async fn what_is_flipped_deleted_or_swapped_in_the_file_is_found_and_located() -> Result<()> {
    let mut server = Setup::default().with_user().start().await?;
    for tag in ["one", "two", "lies-of-mallory"] {
        push(&server.api()?, tag).await?;
    }
    wait_for(&server, "the pushes", |records| count(records, "push", "success") == 6).await?;
    server.stop().await?;
    let file = server.data_dir().join("audit.db");
    let (whole, database) = (std::fs::read(&file)?, rusqlite::Connection::open(&file)?);
    let position = |tag: &str| -> Result<i64> {
        let query = "SELECT position FROM trail_record WHERE tag = $1";
        Ok(database.query_row(query, [tag], |row| row.get(0))?)
    };
    let (first, second, third) = (position("one")?, position("two")?, position("lies-of-mallory")?);
    drop(database);
    let swapped = format!(
        "UPDATE trail_record SET position = -1 WHERE position = {first}; UPDATE trail_record SET position = {first} \
         WHERE position = {second}; UPDATE trail_record SET position = {second} WHERE position = -1"
    );
    for (tampering, found) in [
        (String::new(), vec![format!("record {third}: altered")]),
        (
            format!("UPDATE trail_record SET outcome = 'denied' WHERE position = {second}"),
            vec![format!("record {second}: altered")],
        ),
        (
            format!("DELETE FROM trail_record WHERE position = {second}"),
            vec![format!("record {second}: removed")],
        ),
        (swapped, vec![format!("record {first}: re-ordered"), format!("record {second}: re-ordered")]),
    ] {
        std::fs::write(&file, &whole)?;
        if tampering.is_empty() {
            // Not through SQL: bytes of the file itself.
            std::fs::write(&file, replaced(&whole, b"lies-of-mallory", b"eyes-of-mallory")?)?;
        } else {
            rusqlite::Connection::open(&file)?.execute_batch(&tampering)?;
        }
        let outcome = server.berth(&["audit", "verify"]).await?;
        ensure!(!outcome.success && outcome.stdout.contains("NOT whole"), "{tampering}: {}", outcome.text());
        for found in found {
            ensure!(outcome.stdout.contains(&found), "{tampering}: no {found:?} in {}", outcome.text());
        }
    }
    std::fs::write(&file, &whole)?;
    let verified = server.succeeds(&["audit", "verify"]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");
    Ok(())
}

/// Puts other bytes in the place of some, wherever they lie.
fn replaced(content: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let (mut content, mut found) = (content.to_vec(), false);
    for start in 0..content.len().saturating_sub(old.len()) {
        if content[start..].starts_with(old) {
            content[start..start + new.len()].copy_from_slice(new);
            found = true;
        }
    }
    ensure!(found, "the file does not hold it");
    Ok(content)
}

#[tokio::test]
async fn a_kill_loses_no_push_and_no_pull_older_than_a_second() -> Result<()> {
    let mut server = Setup::default().with_user().start().await?;
    let api = server.api()?;
    push(&api, "zero").await?;
    expect(api.get(&format!("/v2/{REPOSITORY}/manifests/zero")).await?, 200).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for round in 0..5 {
        push(&api, &format!("t{round}")).await?;
    }
    server.kill()?;
    server.start().await?;
    let all = wait_for(&server, "all pushes", |records| count(records, "push", "success") == 12).await?;
    ensure!(count(&all, "pull", "success") >= 1, "the pull of a second ago is lost: {all:#?}");
    let mut copied: Vec<i64> = all.iter().filter_map(|record| record["event"].as_i64()).collect();
    copied.dedup();
    ensure!(copied == (1..=12).collect::<Vec<_>>(), "{copied:?}");
    let verified = server.succeeds(&["audit", "verify"]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");
    Ok(())
}

#[tokio::test]
async fn an_operator_erases_a_person() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    push(&server.api()?, "one").await?;
    wait_for(&server, "the push", |records| count(records, "push", "success") == 2).await?;
    server.succeeds(&["bind", "add", &format!("user:{USER}"), "guest"]).await?;
    let is_bound =
        |one: &Value| one["detail"]["event"] == "binding_added" && one["detail"]["subject_name"] == USER;
    wait_for(&server, "the role", |records| records.iter().any(is_bound)).await?;
    let listed = server.succeeds(&["audit", "list", "--action", "access"]).await?;
    ensure!(
        listed.contains("event=binding_added") && listed.contains(&format!("subject={USER}")),
        "{listed}"
    );
    let asked = server.berth(&["audit", "erase", USER]).await?;
    ensure!(!asked.success && asked.stderr.contains("nothing was erased"), "{}", asked.text());
    let in_office = server.berth(&["audit", "erase", USER, "--yes"]).await?;
    ensure!(!in_office.success && in_office.stderr.contains("may still log in"), "{}", in_office.text());
    let erased = server.succeeds(&["audit", "erase", USER, "--still-active", "--yes"]).await?;
    ensure!(erased.contains("logs call this person person-"), "{erased}");
    let all = wait_for(&server, "the erasure", |records| count(records, "erase", "success") == 1).await?;
    for record in all.iter().filter(|record| record["action"] == "push") {
        ensure!(record["name"].is_null() && record["client"].is_null(), "{record:#}");
    }
    let erase = all.iter().find(|record| record["action"] == "erase").context("no erasure")?;
    ensure!(erase["actor"].as_str().is_some_and(|actor| actor.starts_with("operator:")), "{erase:#}");
    let projects = server.succeeds(&["project", "list", "--json"]).await?;
    ensure!(projects.contains("person-") && !projects.contains(&format!("\"{USER}\"")), "{projects}");
    let events = server.succeeds(&["events", "tail", "--after", "0"]).await?;
    ensure!(!events.contains(&format!("\"{USER}\"")), "{events}");
    let verified = server.succeeds(&["audit", "verify"]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");
    let unknown = server.berth(&["audit", "erase", "nobody-here", "--yes"]).await?;
    ensure!(!unknown.success && unknown.stderr.contains("know nobody"), "{}", unknown.text());
    Ok(())
}

/// Whoever looks at the trail, copies the registry away, or starts it with other settings is in the trail, too.
#[tokio::test]
async fn what_operators_do_is_recorded() -> Result<()> {
    let mut server = Setup::default().with_administrator().start().await?;
    push(&server.api()?, "one").await?;
    let http = reqwest::Client::new();
    for _ in 0..3 {
        let search = http.post(format!("http://{}/api/v1/audit/_search", server.host()));
        let answer = search.basic_auth(USER, Some(PASSWORD)).json(&json!({ "size": 1 })).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
    }
    server.succeeds(&["audit", "list", "--limit", "1"]).await?;
    let backup = server.data_dir().with_extension("backup").display().to_string();
    server.succeeds(&["backup", &backup]).await?;
    server.succeeds(&["backup", "prune", "--keep", "1", &backup]).await?;
    let from = |record: &Value| record["detail"]["command"].as_str().map(ToOwned::to_owned);
    let all = wait_for(&server, "search, list, backup and prune", |records| {
        let reads: Vec<_> = records.iter().filter(|record| record["action"] == "read").map(from).collect();
        reads.contains(&None)
            && reads.contains(&Some("audit list".into()))
            && count(records, "backup", "success") == 1
            && count(records, "backup_prune", "success") == 1
    })
    .await?;
    let searched: Vec<_> =
        all.iter().filter(|record| record["action"] == "read" && from(record).is_none()).collect();
    ensure!(searched.len() == 1 && searched[0]["name"] == USER, "reading on is no other look: {searched:#?}");
    ensure!(
        searched[0]["detail"]["part"] == "system/audit" && searched[0]["client"] == "127.0.0.1",
        "{searched:#?}"
    );
    ensure!(all.iter().any(|record| from(record).as_deref() == Some("audit export")), "{all:#?}");

    server.stop().await?;
    std::fs::rename(server.data_dir(), server.data_dir().with_extension("old"))?;
    server.succeeds(&["restore", &backup]).await?;
    let restored = records(&server).await?;
    let is_said = |record: &Value| record["action"] == "restore" && record["detail"]["point"].is_string();
    ensure!(restored.iter().any(is_said), "{restored:#?}");
    ensure!(
        count(&restored, "backup", "success") == 1,
        "the backup holds the trail up to itself: {restored:#?}"
    );
    Ok(())
}
