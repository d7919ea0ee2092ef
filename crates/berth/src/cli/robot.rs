//! The command line of robots.

use std::time::Duration;

use berth_access::{Effect, PolicyConfig};
use clap::{Args, Subcommand};

use super::user::{Listed, Named};
use super::{Place, duration};

#[derive(Debug, Args)]
#[command(after_help = "\
A robot is the account of a pipeline. Its name is robot+NAME, or robot+PROJECT+NAME if it
belongs to a project, which it can't reach out of; `robot$...`, as Harbor writes it, means the
same at a login. Its secret is printed once. Works beside a running server, which follows within
a second.

Examples:
      berth robot create ci --project team --owner alice
      berth robot create mirror --allow 'project/*=pull,list' --owner ops --days 30
      berth robot rotate robot+team+ci --overlap 24h        the old secret works for another day
      berth robot list --unused-days 90")]
pub(crate) struct Robot {
    #[command(subcommand)]
    pub(crate) command: RobotCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RobotCommand {
    /// Make a robot, and print its secret this once
    Create(RobotCreate),
    /// List robots with their owners, ends and last uses
    List(RobotList),
    /// Print one robot as JSON: what it may do, its owner, end and last use
    Show(Named),
    /// Give a robot another secret, and print it this once
    Rotate(RobotRotate),
    /// Let a robot do nothing
    Disable(Named),
    /// Let it work again
    Enable(Named),
    /// Delete a robot, its secrets and its roles
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct RobotCreate {
    /// Its name without prefix, such as ci
    pub(crate) name: String,
    /// The project that it belongs to; without one it is a robot of the system
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// What it may do, such as project/team/repository/app=pull,push; may be given several times [default: pull from and push to its
    /// project]
    #[arg(long, value_name = "RESOURCE=ACTIONS", value_parser = allow, required_unless_present = "project")]
    pub(crate) allow: Vec<PolicyConfig>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: String,
    /// Days that it lives; 0 for ever, where the configuration sets no maximum
    #[arg(long, default_value_t = 90)]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RobotList {
    /// Only those of this project
    #[arg(long, conflicts_with = "unused_days")]
    pub(crate) project: Option<String>,
    /// Only those that nobody used for so many days
    #[arg(long, value_name = "DAYS")]
    pub(crate) unused_days: Option<u32>,
    #[command(flatten)]
    pub(crate) listed: Listed,
}

#[derive(Debug, Args)]
pub(crate) struct RobotRotate {
    /// Its whole name
    pub(crate) name: String,
    /// How long the secret before goes on beside the new one, 30 days at most
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) overlap: Duration,
    /// Let it live for so many days from now
    #[arg(long)]
    pub(crate) days: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn allow(text: &str) -> Result<PolicyConfig, String> {
    let (resource, actions) =
        text.split_once('=').ok_or("write RESOURCE=ACTIONS, for example project/team=pull,push")?;
    let actions = actions.split(',').map(|action| action.trim().parse().map_err(|error| format!("{error}")));
    let actions = actions.collect::<Result<Vec<_>, String>>()?;
    Ok(PolicyConfig { resources: vec![resource.to_owned()], actions, effect: Effect::Allow })
}
