//! Where a registry of these tests is to move.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use berth_engines::Postgres;

use crate::backup::scaled;
use crate::harness::{Home, Server, Setup, berth};

/// Where a registry is to move.
pub(super) struct Goal {
    pub(super) home: Home,
    pub(super) database: String,
    yaml: String,
    pub(super) config: String,
}

impl Goal {
    pub(super) fn new() -> Result<Self> {
        let home = Home::new()?;
        let database = Postgres::shared().database();
        let yaml = scaled(&home, &database)?;
        let config = home.write("scaled.yaml", &yaml)?.display().to_string();
        Ok(Self { home, database, yaml, config })
    }

    pub(super) async fn serve(&self) -> Result<Server> {
        Setup::default().with_config(&self.yaml).start().await
    }

    pub(super) fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["migrate", "--to", &self.config], more].concat()
    }

    /// Runs a migration that must succeed.
    pub(super) async fn migrate(&self, from: &Server, more: &[&str]) -> Result<String> {
        from.succeeds(&self.arguments(more)).await
    }

    /// Runs a migration and kills it after a while; returns whether it had ended well before.
    pub(super) async fn kill_after(&self, from: &Server, more: &[&str], time: Duration) -> Result<bool> {
        let data = from.data_dir().display().to_string();
        let mut command = self.home.command(&berth()?.display().to_string());
        command.args(self.arguments(more)).args(["--data-dir", &data]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        if let Ok(status) = tokio::time::timeout(time, child.wait()).await {
            return Ok(status?.success());
        }
        child.kill().await?;
        Ok(false)
    }
}
