//! Berth's own passwords elsewhere, kept in the catalog: replaced while the server runs.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use berth_engines::Slapd;

use super::Client;
use crate::harness::{Server, Setup};

#[tokio::test]
async fn a_password_in_the_catalog_counts_at_once_and_stays_as_long_as_it_is_named() -> Result<()> {
    let (slapd, client) = (Slapd::start(), Client::new()?);
    let config = format!(
        "access:
  anonymous: none
  credential_cache_seconds: 0
  ldap:
    - name: corp
      servers: [\"{}\"]
      ca_file: {}
      bind: {{dn: \"cn=berth,dc=example,dc=com\", stored_password: corp-ldap}}
      users: {{base: \"ou=people,dc=example,dc=com\", filter: \"(uid={{name}})\"}}
      timeout_seconds: 2
      believe_seconds: 0
",
        slapd.tls_url(),
        slapd.ca_file().display(),
    );
    let server = Setup::default().with_config(&config).start().await?;
    server.succeeds(&["config", "check"]).await?;
    ensure!(answer(&server, "alice-password").await? == 503, "nobody has said the password yet");
    server.is_told("berth-password", &["secrets", "set", "corp-ldap"]).await?;
    until(&server, 200).await?;

    // Another one there, and then here.
    let replace = "changetype: modify\nreplace: userPassword\nuserPassword: another-password\n";
    slapd.modify(&format!("dn: cn=berth,dc=example,dc=com\n{replace}"));
    until(&server, 503).await?;
    server.is_told("another-password", &["secrets", "set", "corp-ldap"]).await?;
    until(&server, 200).await?;
    ensure!(answer(&server, "wrong").await? == 401);

    let refused = server.berth(&["secrets", "remove", "corp-ldap"]).await?;
    ensure!(
        !refused.success && refused.text().contains("bind.stored_password names it"),
        "{}",
        refused.text()
    );
    ensure!(client.log_in(&server, "alice", "alice-password").await?);
    server.is_told("x", &["secrets", "set", "unused"]).await?;
    server.succeeds(&["secrets", "remove", "unused"]).await?;
    ensure!(server.succeeds(&["secrets", "list"]).await?.starts_with("corp-ldap\t"));
    Ok(())
}

/// What the answer to Alice's login is.
async fn answer(server: &Server, password: &str) -> Result<u16> {
    let request = server.api()?.request(reqwest::Method::GET, "/token")?;
    Ok(request.basic_auth("alice", Some(password)).send().await?.status().as_u16())
}

/// Waits until Alice's login is answered so: a server that did not let Berth in is left alone for some seconds.
async fn until(server: &Server, status: u16) -> Result<()> {
    let begin = Instant::now();
    let mut last = 0;
    while begin.elapsed() < Duration::from_secs(20) {
        last = answer(server, "alice-password").await?;
        if last == status {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("{last} instead of {status}")
}
