//! The command line of an import.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::{BucketFlags, Place};

mod registry;

pub(crate) use registry::ImportRegistry;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Takes over what the registry of the docker-registry project (CNCF distribution, Debian's
docker-registry) stored in a local directory or in a bucket, which holds docker/registry/v2.
Stop that registry or make it read-only first. What it stored is only read: images can be pulled
from Berth at once, what is asked for is taken in first, and a running server does the rest in
the background. Bytes stay where they lie until --finish brings them into Berth's own store,
each compared with its digest, by a second name of the same file where the file system allows
it. Only then may the old store go.

A bucket is s3://BUCKET, and behind it the other registry's rootdirectory. Without --endpoint
and keys it is reached as storage.bucket is, if there is one. Every node reaches it by what is
said here, so files of keys must lie on each under the same name.

Docker schema 1 manifests, manifests without their bytes and illegal names are refused; missing
layers are noted and can be pushed later. All are listed by --now and --status.

Examples:
      berth import /var/lib/docker-registry              begin; images can be pulled at once
      berth import s3://images/old                       the same, in Berth's own bucket
      berth import --status                              how far it is, and what was refused
      berth import /var/lib/docker-registry --now        the same, and wait for the end
      berth import --finish --now                        bring the bytes in, and end the import

To pull from a registry that is running, see `berth import registry --help`.")]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) command: Option<ImportCommand>,
    /// Directory that the other registry stores in, or `s3://BUCKET/ROOTDIRECTORY` [default: of the import that was begun]
    #[arg(required_unless_present_any = ["finish", "status"])]
    pub(crate) from: Option<OsString>,
    /// Bring all bytes into Berth's own store and end the import
    #[arg(long)]
    pub(crate) finish: bool,
    /// Wait for the end and show progress
    #[arg(long)]
    pub(crate) now: bool,
    /// Only tell how the import stands
    #[arg(long, conflicts_with_all = ["from", "finish", "now"])]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) bucket: BucketFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Pull from a registry that is running, of whatever make
    Registry(Box<ImportRegistry>),
}
