//! Programs run with a private home and a time limit.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::process::Command;

use super::{number_from_environment, tool_path};

/// Longest that one program may take; generous, because debug builds and other tests share two cores.
const LIMIT: Duration = Duration::from_mins(3);

/// A directory that programs take for their home, so that tests neither read nor leave anything in the caller's.
pub(crate) struct Home {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Everything that the program said.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Home {
    pub(crate) fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("berth-home-").tempdir()?;
        let mut home = Self { dir, variables: Vec::new() };
        let path = home.path().display().to_string();
        for (key, below) in [
            ("HOME", ""),
            ("DOCKER_CONFIG", "/docker"),
            ("REGISTRY_AUTH_FILE", "/auth.json"),
            ("XDG_RUNTIME_DIR", "/run"),
            ("XDG_CACHE_HOME", "/cache"),
            ("XDG_CONFIG_HOME", "/config"),
            ("XDG_DATA_HOME", "/data"),
            ("REGCTL_CONFIG", "/regctl.json"),
        ] {
            home.set(key, format!("{path}{below}"));
        }
        std::fs::create_dir_all(home.path().join("docker"))?;
        std::fs::create_dir_all(home.path().join("run"))?;
        home.write("auth.json", "{}")?;
        Ok(home)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Path of `name` in this home, as text for a command line.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// Writes a file into this home.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Sets a variable for every program run from now on.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.variables.push((key.to_owned(), value.into()));
    }

    /// Runs a program to its end and hands back how it ended, whatever that was.
    pub(crate) async fn outcome(&self, program: &str, arguments: &[&str]) -> Result<Outcome> {
        let shown = format!("{program} {}", arguments.join(" "));
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command
            .spawn()
            .with_context(|| format!("cannot run {shown}; scripts/test installs what tests need"))?;
        let limit = number_from_environment("BERTH_LIMIT_SECONDS", LIMIT.as_secs())?;
        let output = tokio::time::timeout(Duration::from_secs(limit), child.wait_with_output())
            .await
            .with_context(|| format!("{shown}: still running after {limit} s"))??;
        Ok(Outcome {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a program that must succeed; hands back its standard output.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let outcome = self.outcome(program, arguments).await?;
        if !outcome.success {
            bail!("{program} {}: failed\n{}", arguments.join(" "), outcome.text());
        }
        Ok(outcome.stdout)
    }

    /// Runs a program that must fail and say one of `reasons`; a program that fails for another reason proves nothing.
    pub(crate) async fn fails(&self, program: &str, arguments: &[&str], reasons: &[&str]) -> Result<()> {
        let outcome = self.outcome(program, arguments).await?;
        let shown = format!("{program} {}", arguments.join(" "));
        if outcome.success {
            bail!("{shown}: succeeded, but had to fail");
        }
        let text = outcome.text();
        if !reasons.iter().any(|reason| text.contains(reason)) {
            bail!("{shown}: failed, but said none of {reasons:?}\n{text}");
        }
        Ok(())
    }

    /// A program with this home, not yet started.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env("PATH", tool_path()).kill_on_drop(true);
        // Variables that steer the tests would be taken for keys of the configuration.
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("BERTH_")) {
            command.env_remove(key);
        }
        for key in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(key);
        }
        for key in ["SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST", "DOCKER_CONTENT_TRUST"] {
            command.env_remove(key);
        }
        command.envs(self.variables.iter().map(|(key, value)| (key, value)));
        command
    }
}
