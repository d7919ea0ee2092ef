//! The command line of an import.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

mod registry;

pub(crate) use registry::ImportRegistry;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Takes over what the registry of the docker-registry project (CNCF distribution, Debian's docker-registry) stored in a local directory,
which holds docker/registry/v2. Stop that registry or make it read-only first. Its files are only read: images can be pulled from Berth at
once, what is asked for is taken in first, and a running server does the rest in the background. Bytes stay where they lie until
--finish brings them into Berth's own store, each compared with its digest, by a second name of the same file where the file system allows
it. Only then may the old directory go.

Docker schema 1 manifests, manifests without their bytes and illegal names are refused; missing layers are noted and can be pushed
later. All are listed by --now and --status.

Examples:
      berth import /var/lib/docker-registry              begin; with a running server, images can be pulled now
      berth import --status                              how far it is, and what was refused
      berth import /var/lib/docker-registry --now        the same, and wait for the end
      berth import --finish --now                        bring the bytes in, and end the import

To pull from a registry that is running, see `berth import registry --help`.")]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) command: Option<ImportCommand>,
    /// Directory that the other registry stores in [default: that of the import that was begun]
    #[arg(required_unless_present_any = ["finish", "status"])]
    pub(crate) dir: Option<PathBuf>,
    /// Bring all bytes into Berth's own store and end the import
    #[arg(long)]
    pub(crate) finish: bool,
    /// Wait for the end and show progress
    #[arg(long)]
    pub(crate) now: bool,
    /// Only tell how the import stands
    #[arg(long, conflicts_with_all = ["dir", "finish", "now"])]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Pull from a registry that is running, of whatever make
    Registry(Box<ImportRegistry>),
}
