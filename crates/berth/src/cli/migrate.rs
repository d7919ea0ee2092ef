//! The command line of a migration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Moves a registry from one data directory to Postgres and a bucket. Without --switch it copies bytes while everything goes on, as often as
it is run; what was copied once is not copied again. With --switch it copies what came since, then makes the registry read-only,
copies the rest and the catalog, and says how long pushes had to rest. Every blob is compared with its digest, and the chain of events is
walked. Pulls go on all the time.

The old registry stays read-only after that, and is still whole: start the new nodes, send the clients to them, and stop the old one. If
the switch fails, pushes go on as before; if it was interrupted, `berth read-only off` lets them.

Examples:
      berth migrate --to scaled.yaml --through /var/tmp/move --config /etc/berth.yaml
      berth migrate --to scaled.yaml --through /var/tmp/move --config /etc/berth.yaml --switch
      berth serve --config scaled.yaml
      berth migrate status --config /etc/berth.yaml      which version the tables have"
)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    pub(crate) command: Option<MigrateCommand>,
    /// Configuration of the new nodes: database.url and storage.bucket
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) to: Option<PathBuf>,
    /// Directory for the catalog's rows and the note of what was copied; made if it is missing
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) through: Option<PathBuf>,
    /// Make the registry read-only and bring the catalog over
    #[arg(long)]
    pub(crate) switch: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Print the version that the catalog has and the one that this binary brings; fails if they differ
    #[command(after_help = "\
`berth serve` brings the catalog's tables up to date at its start, one node at a time; nodes of the version before go on
meanwhile. This tells whether the next start has something to do.

Example:
      berth migrate status --config /etc/berth.yaml")]
    Status(Place),
}
