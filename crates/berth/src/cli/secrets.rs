//! The command line of the secrets in the catalog.

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Seal every secret in the catalog anew, under the key that is named first now
    #[command(after_help = "\
To replace a key: put the new one on the first line of secrets.key_file and leave the old one
below, on every node; restart the nodes; run this command; then take the old line out. It may be
stopped and run again at any time.

Without a key of your own, another is made and kept in the catalog. After a key was named for
the first time, this command removes the one that lay in the catalog.

Example:
      berth secrets rotate --config /etc/berth.yaml")]
    Rotate(Place),
    /// Keep a secret in the catalog, sealed: asks for it without showing it, or reads the first line of a pipe
    Set(NamedSecret),
    /// List the names of the secrets, and when each was set
    List(Place),
    /// Remove a secret
    Remove(NamedSecret),
}

#[derive(Debug, Args)]
pub(crate) struct NamedSecret {
    /// The secret's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
