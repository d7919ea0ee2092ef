//! Identities that others vouch for, with real clients: directories, login services, CI systems, certificates.

mod certificate;
mod directory;
pub(crate) mod jobs;
mod login;
pub(crate) mod site;
mod stored;

/// The browser of the room's own tests.
#[expect(clippy::unwrap_used, clippy::panic, reason = "a browser that can't go on fails its test")]
#[path = "../../crates/federation/tests/federation/browser.rs"]
mod browser;

use anyhow::{Result, ensure};

use crate::harness::{Home, Images, Server};

/// A client with images, and what it says when it is not let in.
struct Client {
    home: Home,
    images: Images,
}

impl Client {
    fn new() -> Result<Self> {
        let home = Home::new()?;
        let images = Images::build(home.path())?;
        Ok(Self { home, images })
    }

    /// Logs in, which must succeed or fail.
    async fn log_in(&self, server: &Server, name: &str, password: &str) -> Result<bool> {
        let login = ["login", "--tls-verify=false", "-u", name, "-p", password, server.host()];
        let outcome = self.home.outcome("skopeo", &login).await?;
        ensure!(
            outcome.success
                || outcome.text().contains("nauthorized")
                || outcome.text().contains("invalid username"),
            "{}",
            outcome.text()
        );
        Ok(outcome.success)
    }

    /// Pushes an image with what the last login left.
    async fn push(&self, server: &Server, repository: &str) -> Result<()> {
        self.home.run("skopeo", &self.push_arguments(server, repository)).await.map(|_| ())
    }

    /// Fails unless a push is refused for one of `reasons`.
    async fn push_fails(&self, server: &Server, repository: &str, reasons: &[&str]) -> Result<()> {
        self.home.fails("skopeo", &self.push_arguments(server, repository), reasons).await
    }

    fn push_arguments(&self, server: &Server, repository: &str) -> [&'static str; 5] {
        let there = format!("docker://{}/{repository}", server.host());
        // Leaked: a few short texts in a test.
        let leak = |text: String| -> &'static str { text.leak() };
        ["copy", "-q", "--dest-tls-verify=false", leak(self.images.oci(&self.images.image)), leak(there)]
    }
}

/// What clients say when they may not.
const DENIED: &[&str] = &["denied", "unauthorized", "Unauthorized", "403", "401"];
