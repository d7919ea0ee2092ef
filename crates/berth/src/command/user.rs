//! `berth user`: accounts that Berth keeps itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_access::{
    Access, AccountError, Accounts, Caller, Enrolment, HarborEntry, Imported, NewUser, OperatorGrants,
    PasswordRules, ReadOnly,
};
use berth_catalog::Clock;
use berth_catalog::account::Account;
use berth_catalog::page::all;
use serde_json::json;

use super::accounts::{open, open_to_change, shown, table};
use super::{block_on, passwd, print};
use crate::cli::{self, Chosen, Listed, TotpCommand, UserAdd, UserCommand, UserPasswd};
use crate::config::Config;
use crate::data;
use crate::operator::author;

/// Accounts read at a time.
const PAGE: usize = 500;
/// Letters and digits of a password that is made up.
const MADE_UP: usize = 20;

pub(super) fn run(arguments: cli::User) -> Result<ExitCode> {
    match arguments.command {
        UserCommand::Add(new) => block_on(add(new))?,
        UserCommand::List(listed) => block_on(list(listed))?,
        UserCommand::Show(named) => block_on(show(named))?,
        UserCommand::Disable(named) => block_on(change(
            named,
            "is disabled: nobody logs in with it, and its sessions and tokens have ended",
            async |accounts, name| accounts.disable_user(name, true, &author()).await,
        ))?,
        UserCommand::Enable(named) => block_on(change(named, "may log in again", async |accounts, name| {
            accounts.disable_user(name, false, &author()).await
        }))?,
        UserCommand::Delete(named) => block_on(change(
            named,
            "is gone, with its application passwords and roles",
            async |accounts, name| accounts.delete_user(name, &author()).await,
        ))?,
        // Also one of the configuration, who has no account.
        UserCommand::Logout(named) => block_on(async {
            let (_, accounts) = open(named.place).await?;
            accounts.log_out_everywhere(&named.name, &author()).await?;
            eprintln!("user {} has no sessions and tokens any more", named.name);
            Ok(())
        })?,
        UserCommand::Unlock(named) => block_on(change(named, "is not locked", async |accounts, name| {
            accounts.unlock_user(name, &author()).await
        }))?,
        UserCommand::Passwd(changed) => block_on(set_password(changed))?,
        UserCommand::Totp(totp) => match totp.command {
            TotpCommand::Enable(named) => block_on(enable_totp(named))?,
            TotpCommand::Disable(named) => {
                block_on(change(named, "is asked for no second factor", async |accounts, name| {
                    accounts.disable_totp(name, &author()).await
                }))?;
            }
        },
        UserCommand::ImportHarbor(import) => {
            return block_on(async {
                let (_, accounts) = open(import.place).await?;
                import_harbor(&accounts, &import.file).await
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes an account and says so.
async fn change(
    named: cli::Named,
    done: &str,
    work: impl AsyncFnOnce(&Accounts, &str) -> Result<(), AccountError>,
) -> Result<()> {
    let (_, accounts) = open_to_change(named.place, &named.name).await?;
    work(&accounts, &named.name).await?;
    eprintln!("user {} {done}", named.name);
    Ok(())
}

async fn add(new: UserAdd) -> Result<()> {
    let (config, accounts) = open(new.place).await?;
    let (password, is_made_up) = choose(&new.chosen, &config, &new.name)?;
    let user = NewUser {
        name: new.name.clone(),
        display_name: new.display_name,
        email: new.email,
        password: password.clone(),
        own_choice: new.chosen.own_choice,
    };
    accounts.create_user(user, &author()).await?;
    eprintln!(
        "user {} is there; what it may do is said by `berth bind add user:{} ROLE`",
        new.name, new.name
    );
    say_password(&password, is_made_up)?;
    if config.access.users.is_empty() && config.access.anonymous.is_none() {
        eprintln!(
            "a server that runs with neither access.users nor access.anonymous is still open to all: say access.anonymous"
        );
    }
    Ok(())
}

async fn set_password(changed: UserPasswd) -> Result<()> {
    // Before anybody types.
    let (config, accounts) = open_to_change(changed.place, &changed.name).await?;
    let (password, is_made_up) = choose(&changed.chosen, &config, &changed.name)?;
    accounts.reset_password(&changed.name, &password, changed.chosen.own_choice, &author()).await?;
    eprintln!("user {} has another password", changed.name);
    say_password(&password, is_made_up)
}

fn choose(chosen: &Chosen, config: &Config, name: &str) -> Result<(String, bool)> {
    if chosen.generate {
        Ok((made_up(&config.access.passwords, name)?, true))
    } else {
        Ok((passwd::read()?, false))
    }
}

fn say_password(password: &str, is_made_up: bool) -> Result<()> {
    if is_made_up {
        print(format!("{password}\n"))?;
    }
    Ok(())
}

/// Makes up a password that the rules allow.
fn made_up(rules: &PasswordRules, name: &str) -> Result<String, AccountError> {
    loop {
        let random = berth_access::RandomSecret::generate(berth_access::SecretKind::Session)?;
        let letters: Vec<char> =
            random.reveal().chars().skip(8).take(MADE_UP.max(rules.min_length)).collect();
        let groups = letters.chunks(5).map(|group| group.iter().collect::<String>());
        let password = groups.collect::<Vec<_>>().join("-");
        match rules.check(name, &password) {
            Err(AccountError::Weak(_)) if rules.min_length <= MADE_UP => {}
            checked => return checked.map(|()| password),
        }
    }
}

fn json_of(account: &Account) -> serde_json::Value {
    json!({
        "name": account.name,
        "source": account.source,
        "external": account.external,
        "display_name": account.display_name,
        "email": account.email,
        "groups": account.groups,
        "disabled_at": account.disabled_at,
        "locked_until": account.locked_until,
        "must_change_password": account.must_change,
        "password_changed_at": account.password_changed_at,
        "second_factor": account.totp.is_some(),
        "created_at": account.created_at,
        "seen_at": account.seen_at,
    })
}

/// Prints all that is kept of a person, and which roles that gives.
async fn show(named: cli::Named) -> Result<()> {
    let (config, accounts) = open(named.place).await?;
    let mut shown = json_of(&accounts.user(&named.name).await?);
    let roles = if config.access.users.iter().any(|user| user.name == named.name) {
        // They are those of the user of the configuration, who has the name.
        Vec::new()
    } else {
        let catalog = data::join_catalog(&config).await?;
        let access = Access::open(&config.access, &ReadOnly::default(), &catalog).await?;
        access.holds(&Caller::user(&named.name))
    };
    shown["roles"] = json!(roles);
    Ok(print(serde_json::to_string_pretty(&shown)? + "\n")?)
}

async fn list(listed: Listed) -> Result<()> {
    let (_, accounts) = open(listed.place).await?;
    let page =
        async |last: Option<&Account>| accounts.users(last.map_or("", |account| &account.name), PAGE).await;
    let all = all(PAGE, page).await?;
    if listed.json {
        for account in &all {
            print(format!("{}\n", json_of(account)))?;
        }
        return Ok(());
    }
    let now = Clock::system().now();
    let state = |account: &Account| match account {
        account if account.disabled_at.is_some() => "disabled",
        account if account.locked_until.is_some_and(|until| until > now) => "locked",
        account if account.must_change => "must change password",
        _ => "active",
    };
    let rows = all.iter().map(|account| {
        [
            account.name.clone(),
            account.source.as_str().to_owned(),
            state(account).to_owned(),
            if account.totp.is_some() { "yes" } else { "no" }.to_owned(),
            shown(account.seen_at),
            account.email.clone().unwrap_or_default(),
        ]
    });
    Ok(print(table(["NAME", "SOURCE", "STATE", "2ND FACTOR", "LAST LOGIN", "EMAIL"], rows))?)
}

async fn enable_totp(named: cli::Named) -> Result<()> {
    let (_, accounts) = open_to_change(named.place, &named.name).await?;
    let enrolment = Enrolment::generate()?;
    eprintln!("{}\nsecret: {}", enrolment.to_uri("berth", &named.name), enrolment.to_base32());
    let code = passwd::read_line_of("Code: ")?;
    accounts.enable_totp(&named.name, &enrolment, &code, &author()).await?;
    eprintln!("user {} is asked for a code at logins", named.name);
    Ok(())
}

/// Takes every line in, and says which could not be.
async fn import_harbor(accounts: &Accounts, file: &Path) -> Result<ExitCode> {
    let input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(
            File::open(file).with_context(|| format!("{} can't be read", file.display()))?,
        ))
    };
    let (mut users, mut robots, mut known, mut failed) = (0, 0, 0, 0);
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.with_context(|| format!("line {number} can't be read"))?;
        if line.trim().is_empty() {
            continue;
        }
        // serde's message names a field, never what is in it.
        let entry = serde_json::from_str::<HarborEntry>(&line);
        let imported = match entry {
            Ok(entry) => {
                accounts.import_harbor(entry, &OperatorGrants, &author()).await.map_err(anyhow::Error::from)
            }
            Err(error) => Err(error.into()),
        };
        match imported {
            Ok(Imported::User) => users += 1,
            Ok(Imported::Robot) => robots += 1,
            Ok(Imported::Known) => known += 1,
            Err(error) => {
                failed += 1;
                eprintln!("line {number}: {error}");
            }
        }
    }
    print(format!(
        "{users} users and {robots} robots came, {known} were there, {failed} could not be taken in\n"
    ))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
