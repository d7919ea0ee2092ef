//! Lines of logs that somebody else writes, and addresses that somebody else chooses.

use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::raw;
use crate::harness::Setup;

/// What a terminal obeys, and what would pass for a line of the log.
const FORGED: &str =
    "x\r\n{\"level\":\"INFO\",\"message\":\"forged\",\"caller\":\"root\"}\n\u{1b}[2J\u{9b}2J\u{202e}";

#[tokio::test]
async fn nobody_writes_a_line_of_a_log() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let basic = BASE64_STANDARD.encode(format!("{FORGED}:{FORGED}"));
    let encoded = crate::federation::site::encoded(FORGED);
    let agent =
        [b"User-Agent: a\xc2\x9b2J\xe2\x80\xae\r\n".as_slice(), b"X-Request-Id: a\xc2\x9b2J\r\n"].concat();
    for (target, headers) in [
        ("/v2/".to_owned(), format!("Authorization: Basic {basic}\r\n").into_bytes()),
        (format!("/token?account={encoded}&service={encoded}&scope={encoded}"), Vec::new()),
        (format!("/v2/{encoded}/manifests/{encoded}"), Vec::new()),
        (format!("/api/v1/projects/{encoded}"), Vec::new()),
        (format!("/login?next={encoded}"), Vec::new()),
        ("/v2/".to_owned(), agent),
    ] {
        let (status, answer) = raw(&server, &target, &headers).await?;
        ensure!((200..500).contains(&status), "{target}: {answer}");
        // Nor a header of the answer.
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        ensure!(!head.contains("forged") && !head.contains('\u{1b}'), "{target}: {head:?}");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let text = server.log()?;
    ensure!(text.contains("a\\\\u{9b}2J\\\\u{202e}"), "what was sent is there, spelled out: {text}");
    for line in text.lines() {
        let value: Value = serde_json::from_str(line)?;
        ensure!(value["message"] != "forged" && value["caller"] != "root", "{line}");
    }
    let listed = server.succeeds(&["audit", "list"]).await?;
    let exported = server.succeeds(&["audit", "export"]).await?;
    for text in [&text, &listed, &exported] {
        let obeyed = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{202e}';
        ensure!(!text.contains(obeyed), "{text:?}");
    }
    ensure!(!listed.lines().any(|line| line.starts_with('{')), "{listed}");
    for line in exported.lines() {
        let record: Value = serde_json::from_str(line)?;
        ensure!(record["message"] != "forged", "{record}");
    }
    Ok(())
}

/// Artifactory CVE-2019-9733: `X-Forwarded-For: 127.0.0.1` opened what only this machine may use.
#[tokio::test]
async fn nobody_chooses_where_they_come_from() -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let basic = BASE64_STANDARD.encode("ci:wrong");
    let headers = format!(
        "Authorization: Basic {basic}\r\nX-Forwarded-For: 203.0.113.9\r\nX-Real-Ip: 203.0.113.9\r\n\
         Forwarded: for=203.0.113.9;host=evil.example;proto=https\r\nX-Forwarded-Host: evil.example\r\n"
    );
    let (status, answer) = raw(&server, "/v2/", headers.as_bytes()).await?;
    ensure!(status == 401 && !answer.contains("evil.example"), "{answer}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let exported = server.succeeds(&["audit", "export"]).await?;
    ensure!(exported.contains("127.0.0.1") && !exported.contains("203.0.113.9"), "{exported}");
    Ok(())
}
