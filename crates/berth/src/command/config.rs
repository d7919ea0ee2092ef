//! `berth config`: checks the configuration as far as that takes no network, or prints its schema.

use anyhow::Context as _;

use super::{block_on, print};
use crate::cli::{CheckConfig, Config, ConfigCommand};
use crate::config;
use crate::federation::Federation;
use crate::vault;

/// Checks the configuration or prints its schema.
pub(super) fn run(arguments: Config) -> anyhow::Result<()> {
    match arguments.command {
        ConfigCommand::Check(arguments) => check(arguments),
        ConfigCommand::Schema => Ok(print(config::schema_document()?)?),
    }
}

fn check(arguments: CheckConfig) -> anyhow::Result<()> {
    let loaded = config::load_for_serving(arguments.flags.into())?;
    if !arguments.no_files {
        without_network(&loaded.config)?;
    }
    let source = match &loaded.file {
        Some(file) => format!("{} is fine", file.display()),
        None => "no configuration file; the defaults are fine".to_owned(),
    };
    eprintln!("{source}; in effect with environment and flags:");
    Ok(print(loaded.config.to_yaml()?)?)
}

/// Refuses what a start would refuse, as far as nobody must be asked for that: files, and those who vouch for identities.
fn without_network(config: &config::Config) -> anyhow::Result<()> {
    // Those who vouch are asked over TLS. It fails only if that was done already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Federation::new(&config.access, None)?;
    if let Some(files) = &config.http.tls {
        berth_server::check_tls(files).context("http.tls can't be used")?;
    }
    // A command may well ask somebody for the key.
    if config.secrets.key_command.is_empty() {
        block_on(vault::configured(config))?;
    }
    Ok(())
}
