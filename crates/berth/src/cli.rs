//! The command line: what can be said, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use berth_access::{Anonymous, UserAccess};
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::Flags;

mod access;
mod audit;
mod backup;
mod bucket;
mod compliance;
mod import;
mod keys;
mod migrate;
mod robot;
mod secrets;
mod user;

pub(crate) use access::{
    Access, AccessCommand, Bind, BindCommand, Bound, Explain, Project, ProjectCommand, Role, RoleCommand,
};
pub(crate) use audit::{
    Audit, AuditCommand, CheckpointAudit, EraseAudit, ExportAudit, ListAudit, VerifyAudit,
};
pub(crate) use backup::{Backup, BackupCommand, Kept, Prune, Restore, VerifyBackup};
pub(crate) use bucket::{Address, BucketFlags};
pub(crate) use compliance::{
    Compliance, ComplianceCommand, ComplianceFormat, ComplianceLanguage, ComplianceScheme,
};
pub(crate) use import::{Import, ImportCommand, ImportRegistry};
pub(crate) use keys::{Keys, KeysCommand};
pub(crate) use migrate::{Cancel, Migrate, MigrateCommand};
pub(crate) use robot::{Robot, RobotCommand, RobotCreate, RobotList, RobotRotate};
pub(crate) use secrets::{Secrets, SecretsCommand};
pub(crate) use user::{
    AppPassword, AppPasswordCommand, Chosen, Listed, Named, TotpCommand, User, UserAdd, UserCommand,
    UserPasswd,
};

/// A private container image registry in one binary
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Start a registry for this machine, with data in ./berth-data:
      berth serve
  Push to it:
      docker tag alpine 127.0.0.1:5000/alpine && docker push 127.0.0.1:5000/alpine
  Open it to others, for users with passwords:
      berth passwd alice            prints the entry for berth.yaml
      berth serve --listen 0.0.0.0:5000
  See whether this machine is fit for it:
      berth doctor

Every key of berth.yaml can also be an environment variable: http.listen is BERTH_HTTP__LISTEN.
Flags win over the environment, the environment over the file. `berth config check` prints what
is in effect.

Exit codes: 0 is done, or yes; 1 is no as an answer, such as denied or not whole; 2 is could not
do or ask it.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the registry until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Collect garbage: free the bytes that nothing refers to
    Gc(Gc),
    /// Read everything that is stored and compare it with its digests
    Scrub(Scrub),
    /// Refuse pushes and deletes on every node, for a backup or a move, or allow them again
    ReadOnly(ReadOnly),
    /// Read the event log: what was pushed, tagged, deleted
    Events(Events),
    /// Read and verify the audit trail: who pulled, pushed, deleted, logged in, was refused
    Audit(Audit),
    /// Keep a point in time in a directory or a bucket, beside a running server; list, verify and prune such points
    Backup(Backup),
    /// Restore a backup into an empty data directory
    Restore(Restore),
    /// Move to Postgres and a bucket while serving; see which version of the tables the catalog has
    Migrate(Migrate),
    /// Take over what another registry holds: its directory or bucket where it lies, or by pulling from it
    Import(Import),
    /// Replace or list the keys that tokens are signed with
    Keys(Keys),
    /// Keep secrets in the catalog, and replace the key that they are sealed under
    Secrets(Secrets),
    /// Say whether somebody may do something, and why, or why not
    Access(Access),
    /// Make, list, show, change and delete projects
    Project(Project),
    /// List, show, make, change and delete roles
    Role(Role),
    /// Give somebody a role, list who has which, take one away
    Bind(Bind),
    /// Make accounts, disable them, set their passwords
    User(User),
    /// Make accounts for pipelines, give them new secrets, see which nobody uses
    Robot(Robot),
    /// Make passwords for single clients of a user, and revoke them
    AppPassword(AppPassword),
    /// Hash a password for berth.yaml
    Passwd(Passwd),
    /// Check the configuration, or print its JSON Schema
    Config(Config),
    /// Say how this installation stands against 等保2.0 level 3 and the GDPR
    Compliance(Compliance),
    /// Check this machine and say what to fix
    Doctor(Doctor),
    /// Ask the running server whether it is ready, for health checks in containers
    Ready(Ready),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Where the configuration and the data are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Configuration file [default: berth.yaml in the working directory, if it exists]
    #[arg(long, value_name = "FILE", env = "BERTH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Directory that holds the registry's data [default: ./berth-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What a server can be told beside its configuration file.
#[derive(Debug, Args)]
pub(crate) struct ServerFlags {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Address to listen on; may be given several times [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// What callers without credentials may do [default: write on loopback, none once there are users]
    #[arg(long, value_name = "LEVEL", value_parser = anonymous())]
    pub(crate) anonymous: Option<Anonymous>,
}

impl From<Place> for Flags {
    fn from(place: Place) -> Self {
        Self { file: place.config, data_dir: place.data_dir, ..Self::default() }
    }
}

impl From<ServerFlags> for Flags {
    fn from(flags: ServerFlags) -> Self {
        Self { listen: flags.listen, anonymous: flags.anonymous, ..flags.place.into() }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without users, everybody on this machine may push and pull, and Berth listens on loopback
addresses only. For other addresses, add users (`berth passwd NAME` prints the entry) or say
--anonymous read or --anonymous write.

Examples:
      berth serve
      berth serve --data-dir /srv/berth --listen 0.0.0.0:5000 --anonymous read
      berth serve --config /etc/berth.yaml
      BERTH_LOG__LEVEL=debug berth serve")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) flags: ServerFlags,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Collection runs by itself on a schedule beside pushes and pulls; this command is for those who
can't wait. With --now it waits for the end and shows progress: a running server does the work,
or the command itself when none is running.

Something goes once it has been unneeded for gc.delay_seconds. A shorter --delay also takes
blobs of pushes that are still under way, whose clients must then push them again.

Examples:
      berth gc                      enqueue a collection and return
      berth gc --now --dry-run      what would go
      berth gc --now --delay 0s     collect everything unneeded, also what was just pushed
      berth gc --verify             prove that no manifest lost a blob and the ledger adds up")]
pub(crate) struct Gc {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Collect at once and wait for the end
    #[arg(long)]
    pub(crate) now: bool,
    /// How long something must have been unneeded, for example 30m or 0s [default: as configured]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) delay: Option<std::time::Duration>,
    /// Only report what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Check that no manifest lost a blob, that what was freed in the catalog was freed on disk, and the event chain
    #[arg(long, conflicts_with_all = ["now", "dry_run", "delay"])]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Damaged blobs are set aside and no longer served; they heal when they are pushed again. An
interrupted scrub goes on where it stopped.

Example:
      berth scrub --data-dir /srv/berth")]
pub(crate) struct Scrub {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Bytes to read per second at most, 0 for no limit [default: as configured]
    #[arg(long, value_name = "BYTES")]
    pub(crate) bytes_per_second: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
While the registry is read-only, pulls work, pushes and deletes are refused at once, and
collection, scrub and pull counts write nothing. Every node follows within a second; `on`
returns when they have.

Example:
      berth read-only on && backup-the-bucket && berth read-only off")]
pub(crate) struct ReadOnly {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: ReadOnlyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReadOnlyCommand {
    /// Refuse pushes and deletes from now on, also after restarts
    On(Place),
    /// Allow pushes and deletes again
    Off(Place),
    /// Print how it stands
    Status(Place),
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    pub(crate) command: EventsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events as JSON lines, oldest first
    #[command(after_help = "\
Each line has a `position`; give the last one you handled to --after and none is missed or
repeated.

Examples:
      berth events tail --after 0
      berth events tail --follow --after 1200 | jq .")]
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Wait for further events instead of ending
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print the events after this position [default: the last ten]
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Asks for the password without showing it, or reads the first line of a pipe. With a NAME, prints
a whole entry for berth.yaml; without, only the hash.

Examples:
      berth passwd alice
      berth passwd ci --access read < password.txt")]
pub(crate) struct Passwd {
    /// The user's name
    pub(crate) name: Option<String>,
    /// What the user may do
    #[arg(long, value_name = "LEVEL", default_value = "write", value_parser = user_access(), requires = "name")]
    pub(crate) access: UserAccess,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration in effect, or what is wrong with it
    #[command(after_help = "\
Takes the same file, environment and flags as `berth serve`. Fails when something is wrong, so
it can stand before a restart:
      berth config check --config /etc/berth.yaml > /dev/null && systemctl restart berth")]
    Check(CheckConfig),
    /// Print the JSON Schema of berth.yaml, for editors and other checks
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    pub(crate) flags: ServerFlags,
    /// Don't look for the files that it names: it is for another machine
    #[arg(long)]
    pub(crate) no_files: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Checks the configuration, the data directory, its disk and file system, the clock, file limits,
TLS files and listen addresses. Exits with 1 when something must be fixed.

Example:
      berth doctor --config /etc/berth.yaml")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) flags: ServerFlags,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Asks for /readyz at the first of http.listen with a fixed port. Exits with 1 and says why when
the server is not ready or does not answer. In an image without a shell it stands where others
put curl.

Example:
      berth ready --config /etc/berth.yaml")]
pub(crate) struct Ready {
    #[command(flatten)]
    pub(crate) flags: ServerFlags,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
      berth completions bash > /etc/bash_completion.d/berth
      berth completions fish > ~/.config/fish/completions/berth.fish
      berth completions zsh > ~/.zfunc/_berth")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "use an IP address and a port, for example 0.0.0.0:5000 or [::1]:5000".to_owned())
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = |problem| format!("{problem}; use a time such as 0s, 30m, 24h or 7d");
    // Days of a registry have 24 hours: no calendar is asked.
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    if let Some(days) = days {
        return Ok(std::time::Duration::from_hours(24 * u64::from(days)));
    }
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong("it is no time"))?;
    duration.try_into().map_err(|_| wrong("it is negative"))
}

fn anonymous() -> impl clap::builder::TypedValueParser<Value = Anonymous> {
    PossibleValuesParser::new(["none", "read", "write"]).map(|level| match level.as_str() {
        "read" => Anonymous::Read,
        "write" => Anonymous::Write,
        _ => Anonymous::None,
    })
}

fn user_access() -> impl clap::builder::TypedValueParser<Value = UserAccess> {
    PossibleValuesParser::new(["read", "write", "admin"]).map(|level| match level.as_str() {
        "read" => UserAccess::Read,
        "admin" => UserAccess::Admin,
        _ => UserAccess::Write,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
