//! The command line of backups.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
A backup is a point in time on which the catalog and the blobs agree. It runs beside a server that takes pushes; collection
waits until it has ended. Several points in one directory share their blobs, so the next one copies only what is new. The
point counts once its `backup.json` is there: half a backup is never restored.

Every blob is hashed while it is copied. Damaged ones are listed and the command exits with 1; the rest is kept all the same.
The data directory is found as `berth serve` finds it; the backup may lie on another disk or a mounted file system.

Examples:
      berth backup /mnt/backup --config /etc/berth.yaml
      berth backup list /mnt/backup
      berth backup verify /mnt/backup            read everything again and compare
      berth backup prune /mnt/backup --keep 30   keep the latest thirty points
      berth restore /mnt/backup --data-dir /srv/new"
)]
pub(crate) struct Backup {
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
    /// Directory that keeps the backup; made if it is missing
    #[arg(required = true)]
    pub(crate) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// List the points in time of a backup, oldest first
    List(BackupDir),
    /// Read a backup again, compare every hash, and walk the chain of events
    Verify(VerifyBackup),
    /// Remove old points and the blobs that only they needed
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(crate) struct BackupDir {
    /// Directory that keeps the backup
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBackup {
    /// Directory that keeps the backup
    pub(crate) dir: PathBuf,
    /// Only this point: latest, a name from `list`, or a time [default: all]
    #[arg(long, value_name = "POINT")]
    pub(crate) point: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Directory that keeps the backup
    pub(crate) dir: PathBuf,
    /// How many of the latest points stay
    #[arg(long, value_name = "NUMBER")]
    pub(crate) keep: NonZeroUsize,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Restores into an empty data directory and nothing else: move an old one away first. Every blob and manifest is compared with its
digest on the way and the chain of events is walked; what is not whole is listed, is not served until it is pushed again, and
makes the command exit with 1. Upload sessions that were open are not part of a backup: their clients start again.

Examples:
      berth restore /mnt/backup --data-dir /srv/berth
      berth restore /mnt/backup --point 2026-11-27T16:00:00Z --data-dir /srv/berth")]
pub(crate) struct Restore {
    /// Directory that keeps the backup
    pub(crate) dir: PathBuf,
    /// Which point: latest, a name from `berth backup list`, or a time, which means the latest point before it
    #[arg(long, value_name = "POINT", default_value = "latest")]
    pub(crate) point: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
