//! `berth role`: lists, makes, changes and deletes roles, beside a running server.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use berth_access::{PolicyConfig, RoleConfig, admin};
use berth_catalog::page::all;
use berth_catalog::role::{self, Role};
use serde_json::{Value, json};

use super::access::{Desk, at_desk};
use super::print;
use crate::cli::{self, RoleCommand};

/// Roles read at a time.
const BATCH: usize = 500;

pub(super) fn run(arguments: cli::Role) -> Result<()> {
    match arguments.command {
        RoleCommand::List(listed) => at_desk(listed.place, async move |desk| list(&desk, listed.json).await),
        RoleCommand::Show { name, place } => at_desk(place, async move |desk| show(&desk, &name).await),
        RoleCommand::Set { file, place } => {
            let roles = read(&file)?;
            at_desk(place, async move |desk| {
                let names: Vec<_> = roles.iter().map(|role| role.name.clone()).collect();
                // In one transaction: of a list all are set, or none is.
                desk.change(async move |tx, rules, author, now| {
                    for role in &roles {
                        admin::set_role(tx, rules, role, author, now).await?;
                    }
                    Ok(())
                })
                .await?;
                names.iter().try_for_each(|name| Ok(print(format!("role {name} is set\n"))?))
            })
        }
        RoleCommand::Delete { name, place } => at_desk(place, async move |desk| {
            let gone = name.clone();
            desk.change(async move |tx, rules, author, now| {
                admin::delete_role(tx, rules, &gone, author, now).await
            })
            .await?;
            Ok(print(format!("role {name} is gone\n"))?)
        }),
    }
}

fn read(file: &str) -> Result<Vec<RoleConfig>> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{file} can't be read"))?;
    }
    let roles =
        serde_saphyr::from_str::<Value>(&text).map_err(anyhow::Error::from).and_then(|given| match given {
            Value::Array(_) => Ok(serde_json::from_value(given)?),
            // As berth.yaml has them.
            Value::Object(mut file) if file.len() == 1 && file.contains_key("roles") => {
                Ok(serde_json::from_value(file["roles"].take())?)
            }
            _ => Ok(vec![serde_json::from_value(given)?]),
        });
    roles.with_context(|| format!("{file} holds no role; use what `berth role show` prints"))
}

async fn list(desk: &Desk, json: bool) -> Result<()> {
    let line = |name: &str, origin: &str, description: &str| {
        if json {
            format!("{}\n", json!({ "name": name, "origin": origin, "description": description }))
        } else {
            format!("{name}\t{origin}\t{description}\n")
        }
    };
    for RoleConfig { name, description, .. } in desk.rules.roles() {
        let origin = if desk.rules.is_built_in(name) { "built in" } else { "configuration" };
        print(line(name, origin, description))?;
    }
    let page = async |last: Option<&Role>| {
        let after = last.map_or("", |role| &role.name);
        desk.catalog.read(async |r| role::list(r, after, BATCH).await).await
    };
    for Role { name, description, .. } in all(BATCH, page).await? {
        print(line(&name, "catalog", &description))?;
    }
    Ok(())
}

async fn show(desk: &Desk, name: &str) -> Result<()> {
    let fixed = desk.rules.roles().iter().find(|role| role.name == name).cloned();
    let role = match fixed {
        Some(role) => role,
        None => match desk.catalog.read(async |r| role::find(r, name).await).await? {
            Some(Role { name, description, policies, .. }) => {
                let policies: Vec<PolicyConfig> = serde_json::from_str(&policies)?;
                RoleConfig { name, description, policies }
            }
            None => bail!("there is no role {name:?}; `berth role list` prints those that there are"),
        },
    };
    Ok(print(serde_saphyr::to_string(&role)?)?)
}
