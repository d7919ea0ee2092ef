use super::print;
use crate::cli::{Config, ConfigCommand, ServerFlags};
use crate::config;

/// Checks the configuration or prints its schema.
pub(super) fn run(arguments: Config) -> anyhow::Result<()> {
    match arguments.command {
        ConfigCommand::Check(flags) => check(flags),
        ConfigCommand::Schema => Ok(print(config::schema_document()?)?),
    }
}

fn check(flags: ServerFlags) -> anyhow::Result<()> {
    let loaded = config::load_for_serving(flags.into())?;
    let source = match &loaded.file {
        Some(file) => format!("{} is fine", file.display()),
        None => "no configuration file; the defaults are fine".to_owned(),
    };
    eprintln!("{source}; in effect with environment and flags:");
    Ok(print(loaded.config.to_yaml()?)?)
}
