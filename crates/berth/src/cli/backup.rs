//! The command line of backups.

use std::num::NonZeroUsize;

use anyhow::{Context as _, Result};
use berth_blobs::Shelf;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::{Address, BucketFlags, Place};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
A backup is a point in time on which the catalog and the blobs agree. It runs beside a server
that takes pushes; collection waits until it has ended. It goes to a directory or into a bucket,
where it looks the same: one may be copied to the other. Several points in one place share their
blobs, so the next one copies only what is new. The point counts once its `backup.json` is
there: half a backup is never restored. One that was interrupted goes on when the command is run
again.

Every blob is hashed while it is copied. Damaged ones are listed and the command exits with 1;
the rest is kept all the same. The data directory is found as `berth serve` finds it. Name
another disk or bucket than the registry's own.

Examples:
      berth backup /mnt/backup --config /etc/berth.yaml
      berth backup list /mnt/backup
      berth backup verify /mnt/backup            read everything again and compare
      berth backup prune /mnt/backup --keep 30   keep the latest thirty points
      berth restore /mnt/backup --data-dir /srv/new
  Into a bucket, with a key from files or from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:
      berth backup s3://backups/berth --endpoint https://minio.example.org:9000 \\
          --access-key-id-file id --secret-access-key-file secret --config /etc/berth.yaml
      berth backup list s3://backups/berth --region eu-central-1"
)]
pub(crate) struct Backup {
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
    /// Directory that keeps the backup, made if it is missing, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR|S3-URL", required = true, value_parser = address())]
    pub(crate) address: Option<Address>,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) bucket: BucketFlags,
}

/// Where a backup that is there is kept.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// Directory that keeps the backup, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR|S3-URL", value_parser = address())]
    address: Address,
    #[command(flatten)]
    bucket: BucketFlags,
}

impl Kept {
    /// Names the place; sends nothing.
    pub(crate) fn shelf(&self) -> Result<Shelf> {
        self.bucket.shelf(&self.address)
    }
}

impl Backup {
    /// Names the place; sends nothing.
    pub(crate) fn shelf(&self) -> Result<Shelf> {
        let address =
            self.address.as_ref().context("name the directory or the bucket that keeps the backup")?;
        self.bucket.shelf(address)
    }
}

fn address() -> impl TypedValueParser<Value = Address> {
    OsStringValueParser::new().map(Address::from)
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// List the points in time of a backup, oldest first
    List(Kept),
    /// Read a backup again, compare every hash, and walk the chain of events
    Verify(VerifyBackup),
    /// Remove old points and the blobs that only they needed
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBackup {
    /// Only this point: latest, a name from `list`, or a time [default: all]
    #[arg(long, value_name = "POINT")]
    pub(crate) point: Option<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// How many of the latest points stay
    #[arg(long, value_name = "NUMBER")]
    pub(crate) keep: NonZeroUsize,
    // The registry whose audit trail records this.
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Restores into an empty data directory, or into the empty database and bucket that --config
names, and nothing else: move an old one away first. A restore that was interrupted goes on when
the command is run again with the same --point. Every blob and manifest is compared with its
digest on the way and the chain of events is walked; what is not whole is listed, is not served
until it is pushed again, and makes the command exit with 1. Upload sessions that were open are
not part of a backup: their clients start again.

Examples:
      berth restore /mnt/backup --data-dir /srv/berth
      berth restore /mnt/backup --point 2026-11-27T16:00:00Z --data-dir /srv/berth
      berth restore s3://backups/berth --region eu-central-1 --config /etc/berth.yaml")]
pub(crate) struct Restore {
    /// Which point: latest, a name from `berth backup list`, or a time, which means the latest point before it
    #[arg(long, value_name = "POINT", default_value = "latest")]
    pub(crate) point: String,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) kept: Kept,
}
