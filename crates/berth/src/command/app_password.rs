//! `berth app-password`: passwords that one client logs in with.

use anyhow::Result;
use berth_access::NewApplicationPassword;
use berth_catalog::app_password::{AppPassword, AppPasswordId};

use super::accounts::{open, shown, table};
use super::{block_on, print};
use crate::cli::{self, AppPasswordCommand};
use crate::operator::author;

pub(super) fn run(arguments: cli::AppPassword) -> Result<()> {
    match arguments.command {
        AppPasswordCommand::Create(create) => block_on(async {
            let (_, accounts) = open(create.place).await?;
            let new =
                NewApplicationPassword { user: create.user.clone(), name: create.name, days: create.days };
            let (id, secret, ends_at) = accounts.create_application_password(new, &author()).await?;
            eprintln!(
                "application password {} of {} ends at {}; its secret, which is not shown again:",
                id.0,
                create.user,
                shown(Some(ends_at))
            );
            Ok(print(format!("{}\n", secret.reveal()))?)
        }),
        AppPasswordCommand::List(list) => block_on(async {
            let (_, accounts) = open(list.listed.place).await?;
            let all = accounts.application_passwords(&list.user).await?;
            if list.listed.json {
                for one in &all {
                    print(format!("{}\n", serde_json::to_string(one)?))?;
                }
                return Ok(());
            }
            Ok(print(table(["ID", "NAME", "MADE", "ENDS", "LAST USE"], all.iter().map(row)))?)
        }),
        AppPasswordCommand::Revoke(revoke) => block_on(async {
            let (_, accounts) = open(revoke.place).await?;
            let id = AppPasswordId(revoke.id);
            accounts.revoke_application_password(&revoke.user, id, &author()).await?;
            eprintln!("application password {} of {} is revoked", id.0, revoke.user);
            Ok(())
        }),
    }
}

fn row(one: &AppPassword) -> [String; 5] {
    let ends = match one.revoked_at {
        Some(at) => format!("revoked {}", shown(Some(at))),
        None => shown(Some(one.expires_at)),
    };
    [one.id.0.to_string(), one.name.clone(), shown(Some(one.created_at)), ends, shown(one.used_at)]
}
