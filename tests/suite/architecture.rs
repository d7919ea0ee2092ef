//! The house stands as it is drawn: arrows point downwards, each outside crate stays in its room, files stay small.

mod arrows;
mod attacks;
mod files;
mod licences;
mod walls;

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::harness::workspace;

/// The whole dependency graph, as locked.
fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(workspace())
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata")
}

/// `deny.toml`, without comments.
fn deny() -> Result<String> {
    let text = std::fs::read_to_string(workspace().join("deny.toml")).context("no deny.toml")?;
    Ok(text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n"))
}

/// Strings in double quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}
