//! Users, robots and their secrets: made by commands beside a running server, used by clients, and there again after a restore.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Api, Home, Server, Setup, berth, expect};

/// Longest that a node takes to heed a change, on a machine that does other things as well.
const HEEDED: Duration = Duration::from_secs(5);

const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

/// Hashes as Harbor's database has them, for the password `Harbor12345`.
const HARBOR: &str = r#"{"name": "hana", "password": "985671341e0ae1c16da5dde0775c5536", "salt": "lAyzlqJcZ8xuFqQB", "password_version": "sha256"}
{"name": "robot$team+old", "secret": "985671341e0ae1c16da5dde0775c5536", "salt": "lAyzlqJcZ8xuFqQB", "description": "from Harbor"}
"#;

/// A client that logs in so.
fn client(server: &Server, name: &str, secret: &str) -> Result<Api> {
    Api::new(&format!("http://{}", server.host()), None, Some((name, secret.trim())))
}

/// What `/v2/` says to a client: the status and the text.
async fn said(api: &Api) -> Result<(u16, String)> {
    let answer = api.get("/v2/").await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !is_so().await? {
        ensure!(begin.elapsed() < HEEDED, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Makes a user with a password of its own choice, as far as the server can tell, and returns that.
async fn add(server: &Server, name: &str) -> Result<String> {
    let first = server.succeeds(&["user", "add", name, "--generate"]).await?;
    let refused = said(&client(server, name, &first)?).await?;
    ensure!(refused.0 == 401 && refused.1.contains("must be changed"), "{refused:?}");
    let own = format!("{}x", first.trim());
    choose(server, name, &own)?;
    Ok(own)
}

/// Sets a password as the user's own choice.
pub(crate) fn choose(server: &Server, name: &str, own: &str) -> Result<()> {
    let mut command = std::process::Command::new(berth()?);
    command.args(["user", "passwd", name, "--own-choice", "--data-dir"]).arg(server.data_dir());
    let file = server.data_dir().join("../password");
    std::fs::write(&file, own)?;
    let status = command.stdin(std::fs::File::open(&file)?).status()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn users_and_robots_log_in_and_are_there_again_after_a_restore() -> Result<()> {
    let home = Home::new()?;
    let server = Setup::default().with_user().start().await?;
    let owner = server.api()?;
    owner.push_blob("team/app", b"first").await?;
    let password = add(&server, "alice").await?;
    server.succeeds(&["bind", "add", "user:alice", "maintainer", "--project", "team"]).await?;
    let app = server.succeeds(&["app-password", "create", "laptop", "--user", "alice"]).await?;
    let robot = server.succeeds(&["robot", "create", "ci", "--project", "team", "--owner", "alice"]).await?;
    let file = home.write("harbor.jsonl", HARBOR)?;
    let imported = server.succeeds(&["user", "import-harbor", file.to_str().context("a path")?]).await?;
    ensure!(imported.starts_with("1 users and 1 robots came"), "{imported}");
    server.succeeds(&["bind", "add", "user:hana", "maintainer", "--project", "team"]).await?;

    let all = [
        ("alice", password.as_str()),
        ("alice", &app),
        ("robot+team+ci", &robot),
        ("robot$team+ci", &robot),
        ("hana", "Harbor12345"),
        ("robot$team+old", "Harbor12345"),
    ];
    for (name, secret) in all {
        let api = client(&server, name, secret)?;
        until(name, async || Ok(api.request(Method::POST, UPLOADS)?.send().await?.status() == 202)).await?;
        // Nobody reaches out of the project.
        let elsewhere = api.request(Method::POST, "/v2/other/app/blobs/uploads/")?.send().await?;
        expect(elsewhere, 403).await?;
        expect(client(&server, name, "wrong")?.get("/v2/").await?, 401).await?;
    }
    let listed = server.succeeds(&["robot", "list", "--json"]).await?;
    let robots: Vec<Value> = listed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(robots.len() == 2 && robots[0]["owner"] == "alice", "{listed}");

    let archive = home.file("backup");
    server.succeeds(&["backup", &archive]).await?;
    let text = std::fs::read_to_string(first_point(&archive)?.join("account.jsonl"))?;
    ensure!(!text.contains(&password) && !text.contains("Harbor12345"), "a password lies in the backup");
    let new = home.path().join("new");
    let (program, dir) = (berth()?.display().to_string(), new.display().to_string());
    home.run(&program, &["restore", &archive, "--data-dir", &dir]).await?;
    let after = Setup::default().with_user().in_dir(&new).start().await?;
    for (name, secret) in all {
        let api = client(&after, name, secret)?;
        expect(api.request(Method::POST, UPLOADS)?.send().await?, 202).await?;
        expect(client(&after, name, "wrong")?.get("/v2/").await?, 401).await?;
    }
    Ok(())
}

fn first_point(archive: &str) -> Result<std::path::PathBuf> {
    let mut points = std::fs::read_dir(std::path::Path::new(archive).join("points"))?;
    Ok(points.next().context("no point")??.path())
}

#[tokio::test]
async fn what_ends_says_when_and_why_to_who_has_it() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let password = add(&server, "alice").await?;
    let app =
        server.succeeds(&["app-password", "create", "laptop", "--user", "alice", "--days", "1"]).await?;
    let first = server.succeeds(&["robot", "create", "ci", "--project", "team", "--owner", "alice"]).await?;
    let (user, laptop, ci) = (
        client(&server, "alice", &password)?,
        client(&server, "alice", &app)?,
        client(&server, "robot+team+ci", &first)?,
    );
    for api in [&user, &laptop, &ci] {
        expect(api.get("/v2/").await?, 200).await?;
    }
    let ends = async |api: &Api, part: &str| {
        until(part, async || Ok(said(api).await?.0 == 401)).await?;
        let (_, text) = said(api).await?;
        ensure!(text.contains(part), "{text}");
        Ok(())
    };
    let second = server.succeeds(&["robot", "rotate", "robot$team+ci", "--overlap", "0s"]).await?;
    ends(&ci, "was replaced and ended at").await?;
    expect(client(&server, "robot+team+ci", &second)?.get("/v2/").await?, 200).await?;
    let listed = server.succeeds(&["app-password", "list", "--user", "alice"]).await?;
    let id = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).context("no number")?;
    server.succeeds(&["app-password", "revoke", id, "--user", "alice"]).await?;
    ends(&laptop, "was revoked at").await?;
    server.succeeds(&["user", "disable", "alice"]).await?;
    ends(&user, "was disabled at").await?;
    let (_, text) = said(&client(&server, "alice", "wrong")?).await?;
    ensure!(text.contains("wrong name or password"), "others learn nothing: {text}");
    server.succeeds(&["user", "enable", "alice"]).await?;
    until("alice is back", async || Ok(said(&user).await?.0 == 200)).await?;
    server.succeeds(&["user", "delete", "alice"]).await?;
    ends(&user, "wrong name or password").await?;
    let kinds: Vec<_> = server.events().await?.into_iter().map(|event| event.kind).collect();
    ensure!(kinds.iter().any(|kind| kind == "account_changed"), "{kinds:?}");
    ensure!(kinds.iter().any(|kind| kind == "robot_changed"), "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn commands_refuse_with_advice() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    server.succeeds(&["user", "add", "bob", "--generate"]).await?;
    for (arguments, part) in [
        (vec!["user", "add", "bob", "--generate"], "taken"),
        (vec!["user", "add", "ci", "--generate"], "taken"),
        (vec!["user", "add", "robot+x", "--generate"], "robot"),
        (vec!["user", "show", "nobody"], "there is no user"),
        (vec!["user", "totp", "enable", "nobody"], "there is no user"),
        (vec!["app-password", "create", "x", "--user", "bob"], "changed first"),
        (vec!["robot", "create", "ci", "--owner", "bob"], "--allow"),
        (
            vec!["robot", "create", "ci", "--owner", "bob", "--project", "team", "--allow", "project/*=pull"],
            "can't reach",
        ),
        (vec!["robot", "create", "ci", "--owner", "bob", "--allow", "project/*=fly"], "is no action"),
        (
            vec!["robot", "create", "ci", "--owner", "bob", "--project", "team", "--days", "9999"],
            "access.robots.max_days",
        ),
        (vec!["robot", "create", "C I", "--owner", "bob", "--project", "team"], "small letters"),
        (vec!["robot", "rotate", "robot+none"], "there is no robot"),
    ] {
        let outcome = server.berth(&arguments).await?;
        ensure!(!outcome.success && outcome.text().contains(part), "{arguments:?}: {}", outcome.text());
    }
    let listed = server.succeeds(&["user", "list"]).await?;
    ensure!(listed.contains("bob") && listed.contains("must change password"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn an_operator_neither_sees_nor_touches_secrets_of_berth_itself() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    ensure!(server.succeeds(&["secrets", "list"]).await?.is_empty());
    let removed = server.berth(&["secrets", "remove", "audit-signing-keys"]).await?;
    ensure!(!removed.success && removed.text().contains("Berth's own"), "{}", removed.text());
    let bound = server.berth(&["bind", "add", "anonymous", "administrator"]).await?;
    ensure!(!bound.success && bound.text().contains("is everybody"), "{}", bound.text());
    server.succeeds(&["audit", "checkpoint"]).await?;
    server.succeeds(&["audit", "verify"]).await?;
    Ok(())
}
