//! Debian's docker-registry (distribution 2.8) as the one to import from, with what others put in front of it: TLS, passwords, tokens.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Child;

use crate::harness::{Api, Authority, Home};

/// The one user of such a registry.
pub(super) const USER: &str = "robot";
/// The password of [`USER`].
pub(super) const PASSWORD: &str = "correct-horse";
/// [`PASSWORD`] as htpasswd keeps it (bcrypt).
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuZ0Fx87Pb/Aqb0E90lfvCwzXnaFKUHpS";

/// How callers prove who they are.
pub(super) enum Auth<'a> {
    Nobody,
    Passwords,
    /// By tokens of a service at this address, signed with this certificate.
    Tokens {
        realm: &'a str,
        certificate: &'a str,
    },
}

/// A running docker-registry. Dropping it ends the process.
pub(super) struct Old {
    _child: Child,
    address: SocketAddr,
    authority: Option<Arc<Authority>>,
    with_password: bool,
    dir: PathBuf,
}

impl Old {
    pub(super) async fn start(
        home: &Home,
        authority: Option<&Arc<Authority>>,
        auth: Auth<'_>,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], berth_engines::free_port()));
        let dir = home.path().join("old-registry");
        let mut yaml = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\nhttp:\n  addr: \"{address}\"\n",
            dir.display()
        );
        if let Some(authority) = authority {
            let (certificate, key) = (authority.certificate(), authority.key());
            writeln!(yaml, "  tls: {{certificate: {}, key: {}}}", certificate.display(), key.display())?;
        }
        match auth {
            Auth::Nobody => {}
            Auth::Passwords => {
                let file = home.write("htpasswd", &format!("{USER}:{HASH}\n"))?;
                writeln!(yaml, "auth:\n  htpasswd: {{realm: old, path: {}}}", file.display())?;
            }
            Auth::Tokens { realm, certificate } => writeln!(
                yaml,
                "auth:\n  token: {{realm: \"{realm}\", service: old, issuer: tests, rootcertbundle: {certificate}}}"
            )?,
        }
        let config = home.write("old.yml", &yaml)?;
        let child = home
            .command("docker-registry")
            .arg("serve")
            .arg(config)
            // To this program it is a key of its configuration.
            .env_remove("REGISTRY_AUTH_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run docker-registry; scripts/packages installs it")?;
        let with_password = matches!(auth, Auth::Passwords);
        let old = Self { _child: child, address, authority: authority.cloned(), with_password, dir };
        let begin = Instant::now();
        while old.api()?.get("/v2/").await.is_err() {
            ensure!(begin.elapsed() < Duration::from_secs(30), "docker-registry does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(old)
    }

    pub(super) fn api(&self) -> Result<Api> {
        let credentials = self.with_password.then_some((USER, PASSWORD));
        Api::new(&self.url(), self.authority.as_deref(), credentials)
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.dir.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}
