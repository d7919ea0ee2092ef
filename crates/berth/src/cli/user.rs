//! The command line of accounts and of passwords for applications.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Args)]
#[command(after_help = "\
Works beside a running server, which follows within a second. What a user may do is said by
roles.

Examples:
      berth user add alice --email alice@example.org   asks for a first password, to be changed
      berth user add bob --generate                    makes a first password up and prints it
      berth user list
      berth user disable bob                           ends his sessions, tokens and so on
      berth user import-harbor harbor-users.jsonl      takes over accounts with their passwords")]
pub(crate) struct User {
    #[command(subcommand)]
    pub(crate) command: UserCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account
    Add(UserAdd),
    /// List accounts
    List(Listed),
    /// Print one account
    Show(Named),
    /// Let nobody log in with an account, and end its sessions and tokens
    Disable(Named),
    /// Let its owner log in again
    Enable(Named),
    /// Delete an account, its application passwords and its roles
    Delete(Named),
    /// Set a password, which ends sessions, tokens and a lock
    Passwd(UserPasswd),
    /// End all sessions and tokens of an account, such as after a leak
    Logout(Named),
    /// Forget that passwords were wrong
    Unlock(Named),
    /// Ask for a second factor at logins, or do so no more
    Totp(UserTotp),
    /// Take over users and robots of Harbor with their passwords
    #[command(after_help = "\
Reads JSON lines from a file, or from the standard input for `-`. Of a user: name, password (the
hash), salt, password_version (sha1, sha256 or pbkdf2_sha256), realname and email. Of a robot:
name (robot$NAME or robot$PROJECT+NAME), secret (the hash), salt, and optionally description,
owner, days and policies, without which it may pull from and push to its project. Names that are
taken stay as they are, so a file can be read again. Each password is hashed anew at its first
use.

From Harbor's database:
      psql -At -d registry -c \"
          SELECT json_build_object('name', username, 'password', password, 'salt', salt,
                     'password_version', password_version, 'realname', realname, 'email', email)
              FROM harbor_user WHERE NOT deleted AND password <> ''\" > users.jsonl
      psql -At -d registry -c \"
          SELECT json_build_object('name', 'robot$' || COALESCE(p.name || '+', '') || r.name,
                     'secret', r.secret, 'salt', r.salt, 'description', r.description)
              FROM robot r LEFT JOIN project p USING (project_id)
              WHERE NOT r.disabled\" > robots.jsonl")]
    ImportHarbor(ImportHarbor),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where a password comes from, and whose choice it is.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Make the password up and print it
    #[arg(long, conflicts_with = "own_choice")]
    pub(crate) generate: bool,
    /// The account's owner chose it: it need not be changed first
    #[arg(long)]
    pub(crate) own_choice: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// The name to log in with
    pub(crate) name: String,
    /// The person's name
    #[arg(long, value_name = "NAME")]
    pub(crate) display_name: Option<String>,
    /// The person's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct UserPasswd {
    /// The name to log in with
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct UserTotp {
    #[command(subcommand)]
    pub(crate) command: TotpCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TotpCommand {
    /// Print a secret for an authenticator, and use it once a code of it is given
    Enable(Named),
    /// Ask for a code no more: for someone who has lost the authenticator
    Disable(Named),
}

#[derive(Debug, Args)]
pub(crate) struct ImportHarbor {
    /// File of JSON lines; - for the standard input
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "\
An application password lets one client log in as a user, with `docker login` for example. It
outlives sessions, is good where the user has a second factor, and can be revoked by itself.

Example:
      berth app-password create laptop --user alice --days 90 | \\
          docker login registry.example -u alice --password-stdin")]
pub(crate) struct AppPassword {
    #[command(subcommand)]
    pub(crate) command: AppPasswordCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppPasswordCommand {
    /// Make one, and print its secret this once
    Create(AppPasswordCreate),
    /// List a user's, those that ended included
    List(AppPasswordList),
    /// Revoke one
    Revoke(AppPasswordRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct AppPasswordCreate {
    /// What it is for
    pub(crate) name: String,
    /// Whose it is
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    /// Days that it lives
    #[arg(long, default_value_t = 90)]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct AppPasswordList {
    /// Whose
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) listed: Listed,
}

#[derive(Debug, Args)]
pub(crate) struct AppPasswordRevoke {
    /// Its number, as `berth app-password list` prints it
    pub(crate) id: i64,
    /// Whose it is
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
