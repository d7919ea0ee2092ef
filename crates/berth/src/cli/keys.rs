//! The command line of the keys that tokens are signed with.

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Let another key sign tokens from now on, on every node
    #[command(after_help = "\
Old keys verify for another hour, which is as long as a token can be good. With --at-once they
verify nothing any more: for a key that others may have. Clients then get another token by
themselves.

Example:
      berth keys rotate --config /etc/berth.yaml")]
    Rotate(RotateKeys),
    /// List the keys that sign and verify tokens
    List(Place),
}

#[derive(Debug, Args)]
pub(crate) struct RotateKeys {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Refuse at once what older keys have signed
    #[arg(long)]
    pub(crate) at_once: bool,
}
