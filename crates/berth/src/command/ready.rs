use super::block_on;
use crate::cli::Ready;
use crate::config;

/// Asks the running server whether it is ready; fails with the reason if not.
pub(super) fn run(arguments: Ready) -> anyhow::Result<()> {
    let config = config::load(arguments.flags.into())?.config;
    block_on(async { Ok(berth_server::probe(&config.http).await?) })
}
