//! Erasure of a person.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Result, bail};
use berth_audit::erase::{disown, erase};
use berth_catalog::account;

use super::{Opened, on, print};
use crate::cli::EraseAudit;
use crate::operator;

pub(super) fn run(arguments: EraseAudit) -> Result<()> {
    let user = arguments.user;
    if user.starts_with("robot+") || user.starts_with("robot$") {
        bail!(
            "{user} is a robot, not a person: logs keep its name; erase who stands behind it, if anybody does"
        );
    }
    if !arguments.yes && !confirmed(&user)? {
        bail!("nothing was erased: say --yes, or answer with the name");
    }
    on(arguments.place, async |opened| {
        if !arguments.still_active && may_log_in(&opened, &user).await? {
            bail!(
                "{user} may still log in, and nobody would know any more who did what: delete the account, or take it out of \
                 access.users, first; or say --still-active"
            );
        }
        let erased = erase(&opened.catalog, &opened.trail, &user, operator::author()).await?;
        if !opened.config.access.users.iter().any(|known| known.name == user) {
            disown(&opened.catalog, &user).await?;
        }
        let Some(erased) = erased else { bail!("logs know nobody of the name {user:?}") };
        if let Some(pseudonym) = erased.pseudonym {
            print(format!(
                "erased: logs call this person {pseudonym} from now on, and nobody knows who that was\n"
            ))?;
            let name = user.clone();
            if opened.catalog.read(async move |r| account::find(r, &name).await).await?.is_some() {
                eprintln!(
                    "the account is still there: its next login is somebody new to the logs; \
                     `berth user delete {user}` removes it"
                );
            }
        }
        for pseudonym in erased.finished {
            print(format!("finished an erasure that was interrupted, of {pseudonym}\n"))?;
        }
        Ok(())
    })
}

/// Tells whether somebody of the name, of the catalog or the configuration, is there and not disabled.
async fn may_log_in(opened: &Opened, user: &str) -> Result<bool> {
    if opened.config.access.users.iter().any(|known| known.name == user) {
        return Ok(true);
    }
    let name = user.to_owned();
    let account = opened.catalog.read(async move |r| account::find(r, &name).await).await?;
    Ok(account.is_some_and(|account| account.disabled_at.is_none()))
}

fn confirmed(user: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    print(format!("No log will say any more who {user} was. Type the name again to go on: "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_end() == user)
}
