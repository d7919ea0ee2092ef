//! Erasure of a person.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Result, bail};
use berth_audit::erase::erase;

use super::{on, print};
use crate::cli::EraseAudit;
use crate::operator;

pub(super) fn run(arguments: EraseAudit) -> Result<()> {
    let user = arguments.user;
    if !arguments.yes && !confirmed(&user)? {
        bail!("nothing was erased: say --yes, or answer with the name");
    }
    on(arguments.place, async |opened| {
        match erase(&opened.catalog, &opened.trail, &user, operator::author()).await? {
            Some(erased) => Ok(print(format!(
                "erased: logs say {} from now on, and nobody knows who that was\n",
                erased.pseudonyms.join(", ")
            ))?),
            None => bail!("logs know nobody of the name {user:?}"),
        }
    })
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
