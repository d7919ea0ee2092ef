//! The command line of the audit trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Look for anything in the trail that was altered, removed, re-ordered or cut off
    #[command(after_help = "\
Recomputes every hash, in archives too, compares the chain with its signed checkpoints, with
checkpoints that were handed out before, with the event log, and what is shown in plain with
what is sealed. Exits with 1 when something is wrong, and says where.

Whoever has the database and its key can write a new trail. Keep the public key and checkpoints
where they can't reach them:
      berth audit key > /safe/key
      berth audit checkpoint --out /safe/checkpoint-$(date +%F)
      berth audit verify --key \"$(cat /safe/key)\" \\
          --checkpoint /safe/checkpoint-2026-05-01")]
    Verify(VerifyAudit),
    /// Print records, newest first
    #[command(after_help = "\
Examples:
      berth audit list --action push --since 24h
      berth audit list --user alice --outcome failure --limit 20")]
    List(ListAudit),
    /// Print records as JSON lines, oldest first
    #[command(after_help = "\
Each line has a `position`; give the last one you handled to --after and none is missed or
repeated.

Example:
      berth audit export --after 1200 > records.jsonl")]
    Export(ExportAudit),
    /// Sign how far the trail has come, and print that
    Checkpoint(CheckpointAudit),
    /// Print the public key that checkpoints and archives are verified with
    Key(Place),
    /// Erase a person: no log says any more who it was, and from where the person called; the trail still verifies
    #[command(after_help = "\
This can't be undone. It does not remove the account: `berth user delete` does. Whoever logs in
under the name later is somebody else to the logs.

Example:
      berth audit erase alice --yes")]
    Erase(EraseAudit),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyAudit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Directory with the archives of older records [default: where the server puts them]
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// Don't read archives: only what is signed of them is looked at
    #[arg(long, conflicts_with = "archive")]
    pub(crate) no_archive: bool,
    /// File with a checkpoint that was handed out before; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// Public key that counts, and no other does [default: those that the catalog keeps]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<berth_audit::PublicKey>,
}

#[derive(Debug, Args)]
pub(crate) struct ListAudit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// What was done: pull, push, delete, login, list, access, …
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Who did it, by the name to log in with
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Which name was given at a login that nobody has: names themselves are not kept, so only a right guess finds them
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    pub(crate) claimed: Option<String>,
    /// In which repository
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
    /// In which project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// How it ended
    #[arg(long, value_parser = ["success", "failure"])]
    pub(crate) outcome: Option<String>,
    /// How long ago at most, for example 30m or 24h
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) since: Option<std::time::Duration>,
    /// How long ago at least, for example 1h
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub(crate) until: Option<std::time::Duration>,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Print JSON lines, as `berth audit export` does
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportAudit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print the records after this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) after: i64,
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointAudit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// File to write it to instead
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EraseAudit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The name to log in with
    pub(crate) user: String,
    /// Erase also somebody who may still log in, and would be somebody else to the logs from then on
    #[arg(long)]
    pub(crate) still_active: bool,
    /// Don't ask
    #[arg(long)]
    pub(crate) yes: bool,
}
