//! Callers whom a login service vouches for: a job by the token that its CI system gave it, and a person by a password made after a login.

use anyhow::Result;
use berth_engines::OidcProvider;

use crate::federation::jobs;
use crate::federation::site::{PUBLIC_URL, Site};
use crate::harness::{Authority, Home, Server};

/// Longer than any of these tests.
const SECONDS: u64 = 3600;

/// What lets jobs of `my-org` and the group `builders` push to project `team`: keys of `access`, and of nothing else.
pub(super) fn config(home: &Home) -> Result<String> {
    let (issuer, secret) = (OidcProvider::shared().issuer(), home.write("oidc-secret", "berth-secret")?);
    Ok(format!(
        "  public_url: {PUBLIC_URL}
  oidc:
    - {{name: test, issuer: \"{issuer}\", client_id: berth, client_secret_file: {}}}
  workloads:
    - name: ci
      issuer: \"{issuer}\"
      audience: registry.test
      claims: {{repository: \"my-org/*\"}}
      grants: [{{role: maintainer, project: team}}]
  bindings:
    - {{role: maintainer, subjects: [\"group:builders\"], project: team}}
    - {{role: signer, subjects: [\"user:signer\"], project: team}}
",
        secret.display()
    ))
}

/// The token of a job's own system.
pub(super) async fn job() -> Result<String> {
    jobs::token("registry.test", "my-org/app", SECONDS).await
}

/// The password that `alice`, who is in `builders`, makes for her clients.
pub(super) async fn password(server: &Server, authority: &Authority) -> Result<String> {
    let site = Site::new(&format!("https://{}", server.host()), Some(authority))?;
    let session = site.log_in("alice").await?;
    site.make_password(&session, "clients").await
}
