//! `berth robot`: accounts of pipelines.

use anyhow::Result;
use berth_access::{Accounts, NewRobot, OperatorGrants, PolicyConfig, RobotName};
use berth_catalog::page::all;
use berth_catalog::robot::{Robot, RobotId};
use serde_json::Value;

use super::accounts::{open, shown, table};
use super::{block_on, print};
use crate::cli::{self, Named, RobotCommand, RobotCreate, RobotList, RobotRotate};
use crate::operator::author;

/// Robots read at a time.
const PAGE: usize = 500;

pub(super) fn run(arguments: cli::Robot) -> Result<()> {
    match arguments.command {
        RobotCommand::Create(new) => block_on(create(new)),
        RobotCommand::List(list) => block_on(print_list(list)),
        RobotCommand::Show(named) => block_on(async {
            let (_, accounts) = open(named.place).await?;
            let robot = accounts.robot_named(&RobotName::parse(&named.name)?).await?;
            Ok(print(serde_json::to_string_pretty(&json_of(&robot)?)? + "\n")?)
        }),
        RobotCommand::Rotate(rotate) => block_on(rotated(rotate)),
        RobotCommand::Disable(named) => block_on(disable(named, true)),
        RobotCommand::Enable(named) => block_on(disable(named, false)),
        RobotCommand::Delete(named) => block_on(async {
            let (_, accounts) = open(named.place).await?;
            accounts.delete_robot(&RobotName::parse(&named.name)?, &author()).await?;
            eprintln!("{} is gone, with its secrets and roles", named.name);
            Ok(())
        }),
    }
}

async fn create(new: RobotCreate) -> Result<()> {
    let (_, accounts) = open(new.place).await?;
    let policies = match &new.project {
        Some(project) if new.allow.is_empty() => vec![PolicyConfig::of_project(project)],
        _ => new.allow,
    };
    let robot = NewRobot {
        name: RobotName::new(new.project.as_deref(), &new.name)?,
        description: new.description,
        policies,
        owner: new.owner,
        days: (new.days > 0).then_some(new.days),
    };
    let name = robot.name.clone();
    let (_, secret) = accounts.create_robot(robot, &OperatorGrants, &author()).await?;
    eprintln!("{name} may log in with this secret, which is not shown again:");
    Ok(print(format!("{}\n", secret.reveal()))?)
}

async fn rotated(rotate: RobotRotate) -> Result<()> {
    let (_, accounts) = open(rotate.place).await?;
    let name = RobotName::parse(&rotate.name)?;
    let overlap = u32::try_from(rotate.overlap.as_secs()).unwrap_or(u32::MAX);
    let rotated = accounts.rotate_robot(&name, overlap, rotate.days, &author()).await?;
    eprintln!(
        "secrets of {name} from before end at {}; the new one, which is not shown again:",
        shown(Some(rotated.before_ends_at))
    );
    Ok(print(format!("{}\n", rotated.secret.reveal()))?)
}

async fn disable(named: Named, disabled: bool) -> Result<()> {
    let (_, accounts) = open(named.place).await?;
    accounts.disable_robot(&RobotName::parse(&named.name)?, disabled, &author()).await?;
    eprintln!("{} {}", named.name, if disabled { "is disabled" } else { "may work again" });
    Ok(())
}

async fn print_list(list: RobotList) -> Result<()> {
    let (_, accounts) = open(list.listed.place).await?;
    let robots = match (list.unused_days, list.project) {
        (Some(days), _) => accounts.robots_unused_for(days).await?,
        (None, Some(project)) => all_of(&accounts, &project).await?,
        (None, None) => all_robots(&accounts).await?,
    };
    if list.listed.json {
        for robot in &robots {
            print(format!("{}\n", json_of(robot)?))?;
        }
        return Ok(());
    }
    let rows = robots.iter().map(|robot| {
        [
            robot.name.clone(),
            robot.owner.clone(),
            if robot.disabled_at.is_some() { "disabled" } else { "active" }.to_owned(),
            shown(robot.expires_at),
            shown(robot.used_at),
            robot.description.clone(),
        ]
    });
    Ok(print(table(["NAME", "OWNER", "STATE", "ENDS", "LAST USE", "FOR"], rows))?)
}

/// A robot for programs: its policies as what they are, not as the text that the catalog keeps.
fn json_of(robot: &Robot) -> Result<Value> {
    let mut value = serde_json::to_value(robot)?;
    value["policies"] = serde_json::from_str(&robot.policies)?;
    if robot.project.is_empty() {
        value["project"] = Value::Null;
    }
    Ok(value)
}

async fn all_robots(accounts: &Accounts) -> Result<Vec<Robot>> {
    let page = async |last: Option<&Robot>| accounts.robots(last.map_or("", |robot| &robot.name), PAGE).await;
    Ok(all(PAGE, page).await?)
}

async fn all_of(accounts: &Accounts, project: &str) -> Result<Vec<Robot>> {
    let page = async |last: Option<&Robot>| {
        accounts.robots_of(Some(project), last.map_or(RobotId(0), |robot| robot.id), PAGE).await
    };
    Ok(all(PAGE, page).await?)
}
