//! Where the programs lie: the `berth` under test and the tools that drive it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail};

/// Finds the binary under test: `BERTH_BIN`, or else what `cargo build -p berth` makes, once per run.
pub(crate) fn berth() -> Result<&'static Path> {
    static BINARY: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| match std::env::var_os("BERTH_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build().map_err(|error| format!("{error:#}")),
    });
    found.as_deref().map_err(|error| anyhow!("no berth to test: {error}"))
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "berth", "--message-format", "json-render-diagnostics"])
        .current_dir(workspace())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo build -p berth: {}", String::from_utf8_lossy(&output.stderr));
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if message["target"]["name"] == "berth"
            && let Some(executable) = message["executable"].as_str()
        {
            return Ok(executable.into());
        }
    }
    bail!("cargo build -p berth named no executable")
}

/// Root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `PATH` for the programs that tests run: what `scripts/tools` built comes first, then the administrator's directories.
pub(crate) fn tool_path() -> String {
    let cache = |key: &str, below: &str| std::env::var_os(key).map(|dir| PathBuf::from(dir).join(below));
    let tools = cache("BERTH_TOOLS", "bin")
        .or_else(|| cache("XDG_CACHE_HOME", "berth-tools/bin"))
        .or_else(|| cache("HOME", ".cache/berth-tools/bin"))
        .unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}:/usr/sbin:/sbin:/usr/bin:/bin", tools.display())
}
