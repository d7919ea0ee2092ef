//! The command line of a migration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Moves a registry from one data directory to Postgres and a bucket, beside the server that serves
it. Without --switch it copies bytes and rows while everything goes on, compares both sides, and
leaves the new side filled; from its begin on, every change is noted for the next run. With
--switch it does the same, then lets pushes rest for a moment, brings the last changes over, and
makes the new side the one that counts. Pulls go on all the time.

It may be interrupted at any moment, and goes on where it was when it is run again. Until the
switch is done the old registry serves and takes pushes as before. From then on it serves pulls
only, for good: nothing can be written on both sides.

Examples:
      berth migrate --to scaled.yaml --config /etc/berth.yaml
      berth migrate status --config /etc/berth.yaml   how far it is, and the tables' version
      berth migrate --to scaled.yaml --config /etc/berth.yaml --switch
      berth serve --config scaled.yaml
      berth migrate cancel --to scaled.yaml --config /etc/berth.yaml"
)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    pub(crate) command: Option<MigrateCommand>,
    /// Configuration of the new nodes: database.url and storage.bucket
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) to: Option<PathBuf>,
    /// Make the new side the one that counts
    #[arg(long)]
    pub(crate) switch: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Print how far a migration is, and the version that the catalog has and the one that this binary brings; fails if they differ
    #[command(after_help = "\
`berth serve` brings the catalog's tables up to date at its start, one node at a time; nodes of
the version before go on meanwhile. This tells whether the next start has something to do.

Example:
      berth migrate status --config /etc/berth.yaml")]
    Status(Place),
    /// End a migration that is not done: the registry stays where it is
    #[command(after_help = "\
Removes what came into the new database, and notes no more changes. The bytes in the bucket
stay, and count for the next try.

Example:
      berth migrate cancel --to scaled.yaml --config /etc/berth.yaml")]
    Cancel(Cancel),
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Configuration of the new nodes; without it what came into their database stays until the next migration to it begins
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}
