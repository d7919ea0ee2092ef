//! Users of a directory: their groups are their roles, as long as they are in them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use berth_engines::Slapd;

use super::{Client, DENIED};
use crate::harness::{Home, PASSWORD, Server, Setup, USER};

/// A server whose builders may push to project `team`.
async fn server(slapd: &Slapd, home: &Home) -> Result<Server> {
    let secret = home.write("bind", "berth-password")?;
    let hash = home.hash(PASSWORD).await?;
    let config = format!(
        "access:
  anonymous: none
  users: [{{name: {USER}, password: '{hash}'}}]
  ldap:
    - name: corp
      servers: [\"{}\"]
      ca_file: {}
      bind: {{dn: \"cn=berth,dc=example,dc=com\", password_file: {}}}
      users: {{base: \"ou=people,dc=example,dc=com\", filter: \"(uid={{name}})\"}}
      attributes: {{id: entryUUID}}
      timeout_seconds: 2
      believe_seconds: 1
      refresh_seconds: 1
  bindings:
    - role: maintainer
      subjects: [\"group:builders\"]
      project: team
",
        slapd.tls_url(),
        slapd.ca_file().display(),
        secret.display()
    );
    let server = Setup::default().with_config(&config).start().await?;
    server.succeeds(&["project", "create", "team"]).await?;
    Ok(server)
}

#[tokio::test]
async fn groups_are_roles_until_they_are_left() -> Result<()> {
    let (slapd, client) = (Slapd::start(), Client::new()?);
    let server = server(&slapd, &client.home).await?;
    for (name, password) in [("alice", "wrong"), ("nobody", "alice-password"), ("*", "alice-password")] {
        ensure!(!client.log_in(&server, name, password).await?, "{name} got in by {password}");
    }
    ensure!(client.log_in(&server, "alice", "alice-password").await?);
    client.push(&server, "team/app:1").await?;
    client.push_fails(&server, "other/app:1", DENIED).await?;
    ensure!(client.log_in(&server, "bob", "bob-password").await?);
    client.push_fails(&server, "team/app:2", DENIED).await?;

    // A token that is out is narrowed at each use: who left the group may not use it any more.
    let token = token(&server, "alice", "alice-password", "repository:team/app:pull,push").await?;
    ensure!(status(&server, &token).await? == 202);
    slapd.modify(
        "dn: cn=builders,ou=groups,dc=example,dc=com\nchangetype: modify\nadd: member\n\
         member: uid=bob,ou=people,dc=example,dc=com\n-\ndelete: member\nmember: uid=alice,ou=people,dc=example,dc=com\n",
    );
    let took = until_refused(&server, &token).await?;
    println!("a group that was left counted for {took:?} more");
    ensure!(client.log_in(&server, "bob", "bob-password").await?);
    client.push(&server, "team/app:2").await
}

#[tokio::test]
async fn who_is_disabled_or_gone_is_out() -> Result<()> {
    let (slapd, client) = (Slapd::start(), Client::new()?);
    let server = server(&slapd, &client.home).await?;
    let scope = "repository:team/app:pull,push";
    let told = token(&server, "alice", "alice-password", scope).await?;
    ensure!(status(&server, &told).await? == 202);
    server.succeeds(&["user", "disable", "alice"]).await?;
    let took = until_refused(&server, &told).await?;
    println!("a disabled user's token counted for {took:?} more");
    ensure!(took < Duration::from_secs(5), "{took:?}");
    ensure!(!client.log_in(&server, "alice", "alice-password").await?);
    server.succeeds(&["user", "enable", "alice"]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;

    // Gone from the directory: what was proved before ends, and comes back with the user.
    let before = token(&server, "alice", "alice-password", scope).await?;
    ensure!(status(&server, &before).await? == 202);
    let entry = "dn: uid=alice,ou=people,dc=example,dc=com\n";
    slapd.modify(&format!("{entry}changetype: delete\n"));
    println!("a token of who is gone counted for {:?} more", until_refused(&server, &before).await?);
    ensure!(!client.log_in(&server, "alice", "alice-password").await?);
    // Another person of that name is not the one who had the account.
    slapd.modify(&format!(
        "{entry}changetype: add\nobjectClass: inetOrgPerson\nuid: alice\ncn: Another\nsn: A\nuserPassword: alice-password\n"
    ));
    ensure!(!client.log_in(&server, "alice", "alice-password").await?);
    Ok(())
}

#[tokio::test]
async fn a_directory_that_is_down_stops_nobody_else() -> Result<()> {
    let (slapd, client) = (Slapd::start(), Client::new()?);
    let server = server(&slapd, &client.home).await?;
    slapd.freeze();
    let begin = Instant::now();
    let login = ["login", "--tls-verify=false", "-u", "alice", "-p", "alice-password", server.host()];
    let outcome = client.home.outcome("skopeo", &login).await?;
    ensure!(!outcome.success, "let in by a directory that says nothing");
    ensure!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    // Everybody else goes on.
    let begin = Instant::now();
    ensure!(client.log_in(&server, USER, PASSWORD).await?);
    client.push(&server, "team/app:1").await?;
    ensure!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    slapd.thaw();
    for _ in 0..20 {
        if client.log_in(&server, "alice", "alice-password").await.unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("the directory is back, and alice is not let in")
}

/// Gets a token as clients do.
async fn token(server: &Server, name: &str, password: &str, scope: &str) -> Result<String> {
    let request = server.api()?.request(reqwest::Method::GET, &format!("/token?scope={scope}"))?;
    let response = request.basic_auth(name, Some(password)).send().await?;
    ensure!(response.status() == 200, "{name}: {}", response.status());
    let answer: serde_json::Value = response.json().await?;
    Ok(answer["token"].as_str().unwrap_or_default().to_owned())
}

/// What the beginning of an upload is answered.
async fn status(server: &Server, token: &str) -> Result<u16> {
    let request = server.api()?.request(reqwest::Method::POST, "/v2/team/app/blobs/uploads/")?;
    Ok(request.bearer_auth(token).send().await?.status().as_u16())
}

/// Waits until a token is refused, and returns how long that took.
async fn until_refused(server: &Server, token: &str) -> Result<Duration> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if [401, 403].contains(&status(server, token).await?) {
            return Ok(begin.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the token is still good after {:?}", begin.elapsed())
}
