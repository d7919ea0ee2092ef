//! Names that are paths (Nexus CVE-2024-4956), paths that two readers take apart differently, and text that a database might obey.

use anyhow::{Result, ensure};

use super::raw;
use crate::harness::{Setup, content};

#[tokio::test]
async fn no_path_leads_out_of_the_data() -> Result<()> {
    let server = Setup::default().start().await?;
    let api = server.api()?;
    api.push_blob("team/app", &content(1, 40_000)).await?;
    for way in [
        "/v2/../../../../etc/passwd",
        "/v2/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/%2F%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "//etc/passwd",
        "/v2/team/app/blobs/../../../../../etc/passwd",
        "/v2/team/app/blobs/..%2f..%2f..%2fetc%2fpasswd",
        "/v2/team/app/blobs/sha256:../../../../../../etc/passwd",
        "/v2/team/app/blobs/uploads/..%2f..%2fberth.db",
        "/v2/team/app/blobs/uploads/../../../../berth.db",
        "/v2/team/app/manifests/..%2f..%2f..%2fetc%2fpasswd",
        "/v2/team%00/app/manifests/1",
        "/v2/team/app/manifests/1%00.json",
        "/v2/team\\app/manifests/1",
        "/login/..%2f..%2fetc/passwd",
        "/api/v1/..%2f..%2fetc/passwd",
        "/api/v1/projects/..%2f..%2fberth.db",
        "/metrics/../../etc/passwd",
    ] {
        let (status, answer) = raw(&server, way, b"").await?;
        ensure!((400..500).contains(&status), "{way}: {answer}");
        ensure!(!answer.contains("root:") && !answer.contains("SQLite"), "{way}: {answer}");
    }
    Ok(())
}

/// Harbor CVE-2019-19026, CVE-2019-19029, CVE-2024-22261, CVE-2025-30086.
#[tokio::test]
async fn what_looks_like_sql_is_text() -> Result<()> {
    let server = Setup::default().with_administrator().start().await?;
    let api = server.api()?;
    api.push_blob("team/app", b"x").await?;
    let before = server.succeeds(&["project", "list"]).await?;
    for text in ["'%20OR%201=1--", "%22;DROP%20TABLE%20repository;--", "%27%29%3B--", "\u{ff07}", "%25", "_"]
    {
        for target in [
            format!("/v2/_catalog?last={text}"),
            format!("/v2/team/app/tags/list?last={text}"),
            format!("/v2/{text}/manifests/1"),
            format!("/api/v1/projects?after={text}"),
            format!("/api/v1/users?after={text}"),
            format!("/api/v1/users/{text}"),
            format!("/token?scope=repository:{text}:pull&account={text}"),
        ] {
            let status = api.get(&target).await?.status();
            ensure!(!status.is_server_error(), "{target}: {status}");
        }
    }
    // What may be filtered and sorted by is a list, and secrets are not on it.
    for query in ["q=password_hash%3Dx", "sort=password_hash", "password=x"] {
        let status = api.get(&format!("/api/v1/users?{query}")).await?.status();
        ensure!(status == 400, "{query}: {status}");
    }
    ensure!(server.succeeds(&["project", "list"]).await? == before);
    Ok(())
}
