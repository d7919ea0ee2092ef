//! What can be said about who may do what: `berth access`, `project`, `role`, `bind`.

use berth_access::{Action, Subject, Target};
use clap::{Args, Subcommand};

use super::Place;
use super::user::Listed;

#[derive(Debug, Args)]
pub(crate) struct Access {
    #[command(subcommand)]
    pub(crate) command: AccessCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Say whether somebody may do something, and which role decides, or which grant is missing
    #[command(after_help = "\
Asks the catalog and the configuration as they are now. Exits with 1 when it is denied, with 2
when it could not be asked. A user's groups are those of the account's last login; --group
counts only for names without an account.

Examples:
      berth access explain alice push project/library/repository/nginx
      berth access explain robot+library+ci delete project/library
      berth access explain group:developers pull project/library/repository/team/app
      berth access explain anonymous list project/library/repository/nginx")]
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A user's name, robot+NAME, group:NAME, workload:ci:NAME, authenticated or anonymous
    #[arg(value_name = "SUBJECT")]
    pub(crate) who: String,
    /// pull, push, delete, list, read, create, update, sign, scan, replicate or administer
    pub(crate) action: Action,
    /// system/PART, project/NAME or project/NAME/repository/PATH
    pub(crate) resource: Target,
    /// A group that somebody without an account is to be taken for a member of; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Project {
    #[command(subcommand)]
    pub(crate) command: ProjectCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Make a project: a first component of repositories' names
    #[command(after_help = "\
Example:
      berth project create library --public && \\
          berth bind add group:developers developer --project library")]
    Create {
        /// The project's name
        name: String,
        /// Let everybody pull
        #[arg(long)]
        public: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List projects, one a line: name, public or private, who made it and when
    List(Listed),
    /// Print a project, its settings and who holds which role in it
    Show {
        /// The project's name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Change a project
    #[command(after_help = "\
Example:
      berth project set library --public true")]
    Set {
        /// The project's name
        name: String,
        /// Whether everybody may pull: true or false
        #[arg(long, value_name = "BOOL")]
        public: Option<bool>,
        /// What features keep with the project, as a JSON object: each key replaces what was there, null removes it
        #[arg(long, value_name = "JSON")]
        settings: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a project that holds no repositories, with its bindings and robots
    Delete {
        /// The project's name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Role {
    #[command(subcommand)]
    pub(crate) command: RoleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// List roles, one a line: name, where it comes from, what it is for
    List(Listed),
    /// Print what a role allows and denies, as YAML that `set` and berth.yaml take
    Show {
        /// The role's name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make a role, or replace the one of its name
    #[command(after_help = "\
The file holds roles as berth.yaml does: a list, or one.

Example:
      echo '{name: signer, policies: [{resources: [\"project/*\"], actions: [pull, sign]}]}' | \\
          berth role set -")]
    Set {
        /// File with the role as YAML or JSON, - for the standard input
        file: String,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a role that nobody holds
    Delete {
        /// The role's name
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Bind {
    #[command(subcommand)]
    pub(crate) command: BindCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BindCommand {
    /// Give somebody a role
    #[command(after_help = "\
Every node heeds it within a second, also for tokens that are out.

Examples:
      berth bind add user:alice maintainer --project library
      berth bind add group:auditors auditor
      berth bind add anonymous guest --project mirror")]
    Add {
        #[command(flatten)]
        bound: Bound,
        /// Give it also to everybody if it may administer or change the system
        #[arg(long)]
        yes: bool,
    },
    /// List who holds which role where, the configuration's bindings last
    List {
        /// Only those in this project
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
        #[command(flatten)]
        listed: Listed,
    },
    /// Take a role away
    Remove(Bound),
}

#[derive(Debug, Args)]
pub(crate) struct Bound {
    /// user:NAME, group:NAME, robot+NAME, workload:ci:NAME, authenticated or anonymous
    pub(crate) subject: Subject,
    /// The role
    pub(crate) role: String,
    /// The only project in which it counts [default: everywhere]
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}
