//! Accounts: persons who log in, known here or elsewhere.
//!
//! What decisions rest on bumps the generation that every node follows; counting failures and noting logins don't.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::access_generation::bump;
use crate::binding;
use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::hidden::Hidden;
use crate::session;
use crate::tx::Tx;

/// An account's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct AccountId(pub i64);

/// A login is noted again after this time, so that logins cost no write each.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Who vouches for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Berth itself, by a password.
    Local,
    /// A directory.
    Ldap,
    /// An `OpenID` provider.
    Oidc,
}

impl Source {
    /// The word for it in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Ldap => "ldap",
            Self::Oidc => "oidc",
        }
    }
}

impl std::str::FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Local, Self::Ldap, Self::Oidc].into_iter().find(|source| source.as_str() == text).ok_or(())
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Row id.
    pub id: AccountId,
    /// The name to log in with.
    pub name: String,
    /// Who vouches for the person.
    pub source: Source,
    /// Who it is there: issuer and subject, or a distinguished name.
    pub external: Option<String>,
    /// The person's name.
    pub display_name: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// A PHC string, or a hash of Harbor's until its first use.
    pub password: Option<Hidden<String>>,
    /// When it was set.
    pub password_changed_at: Option<Timestamp>,
    /// Whether nothing but a change of the password is allowed; of a person whom another service vouches for, whether that has ended.
    pub must_change: bool,
    /// Wrong passwords since the last right one.
    pub failures: u64,
    /// No password is right before this time.
    pub locked_until: Option<Timestamp>,
    /// Sealed secret of the second factor.
    pub totp: Option<Hidden<Vec<u8>>>,
    /// Last step of the second factor that was used.
    pub totp_step: Option<i64>,
    /// Groups as of the last login elsewhere.
    pub groups: Vec<String>,
    /// Since when it can't be used.
    pub disabled_at: Option<Timestamp>,
    /// Tokens and sessions from before are good for nothing.
    pub valid_after: Timestamp,
    /// When it came to be.
    pub created_at: Timestamp,
    /// About when it logged in last.
    pub seen_at: Option<Timestamp>,
}

/// An account to make.
#[derive(Debug, Clone)]
pub struct New {
    /// The name to log in with.
    pub name: String,
    /// Who vouches for the person.
    pub source: Source,
    /// Who it is there.
    pub external: Option<String>,
    /// The person's name.
    pub display_name: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// A hash.
    pub password: Option<Hidden<String>>,
    /// Whether the password is to be changed first.
    pub must_change: bool,
    /// Groups as of this login elsewhere.
    pub groups: Vec<String>,
}

fn read(row: &Row<'_>) -> Result<Account> {
    let text = |column| Ok::<_, Error>(row.text_opt(column)?.map(ToOwned::to_owned));
    Ok(Account {
        id: AccountId(row.int(0)?),
        name: row.text(1)?.to_owned(),
        source: row.parse(2, "source of an account")?,
        external: text(3)?,
        display_name: text(4)?,
        email: text(5)?,
        password: text(6)?.map(Hidden::new),
        password_changed_at: row.time_opt(7)?,
        must_change: row.int(8)? != 0,
        failures: row.size(9)?,
        locked_until: row.time_opt(10)?,
        totp: row.bytes_opt(11)?.map(|sealed| Hidden::new(sealed.to_owned())),
        totp_step: row.int_opt(12)?,
        groups: groups_of(row.text(13)?)?,
        disabled_at: row.time_opt(14)?,
        valid_after: row.time(15)?,
        created_at: row.time(16)?,
        seen_at: row.time_opt(17)?,
    })
}

fn groups_of(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json)
        .map_err(|_| Error::Invalid { what: "list of an account's groups", value: json.to_owned() })
}

fn groups_as_json(groups: &[String]) -> String {
    serde_json::Value::from(groups).to_string()
}

/// Finds an account by its name.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Account>> {
    r.query_opt(
        "SELECT id, name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at
           FROM account WHERE name = $1",
        params![name],
        read,
    )
    .await
}

/// Finds an account by its id.
pub async fn find_by_id(r: &Reader, id: AccountId) -> Result<Option<Account>> {
    r.query_opt(
        "SELECT id, name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at
           FROM account WHERE id = $1",
        params![id.0],
        read,
    )
    .await
}

/// Finds the account of somebody whom another service vouches for.
pub async fn find_external(r: &Reader, source: Source, external: &str) -> Result<Option<Account>> {
    r.query_opt(
        "SELECT id, name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at
           FROM account WHERE source = $1 AND external = $2",
        params![source.as_str(), external],
        read,
    )
    .await
}

/// Lists accounts in the order of their names, behind `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Account>> {
    r.query(
        "SELECT id, name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at
           FROM account WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        read,
    )
    .await
}

/// Tells whether there is an account that a password can prove.
pub async fn any(r: &Reader) -> Result<bool> {
    let sql = "SELECT 1 FROM account LIMIT 1";
    Ok(r.query_opt(sql, params![], |_| Ok(())).await?.is_some())
}

/// Tells whether a password still has the hash that Harbor gave it.
pub async fn any_of_harbor(r: &Reader) -> Result<bool> {
    let sql = "SELECT 1 FROM account WHERE password LIKE '$harbor-%' ORDER BY id LIMIT 1";
    Ok(r.query_opt(sql, params![], |_| Ok(())).await?.is_some())
}

/// Makes an account. Returns `None`, and changes nothing, if the name is taken.
pub async fn insert(tx: &mut Tx, new: &New, now: Timestamp) -> Result<Option<AccountId>> {
    let changed_at = new.password.as_ref().map(|_| now);
    let id = tx
        .query_opt(
            "INSERT INTO account (name, source, external, display_name, email, password, password_changed_at, must_change,
                                  failures, member_of, valid_after, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $10) ON CONFLICT (name) DO NOTHING RETURNING id",
            params![
                &new.name,
                new.source.as_str(),
                new.external.as_deref(),
                new.display_name.as_deref(),
                new.email.as_deref(),
                new.password.as_ref().map(|hash| hash.as_str()),
                changed_at,
                i64::from(new.must_change),
                &groups_as_json(&new.groups),
                now,
            ],
            |row| row.int(0),
        )
        .await?;
    if id.is_some() {
        bump(tx).await?;
    }
    Ok(id.map(AccountId))
}

/// Sets a password: the lock goes, and so does what was proved by the one before.
pub async fn set_password(
    tx: &mut Tx,
    id: AccountId,
    hash: &str,
    must_change: bool,
    now: Timestamp,
) -> Result<()> {
    tx.post(
        "UPDATE account SET password = $1, password_changed_at = $2, must_change = $3, failures = 0, locked_until = NULL,
                            valid_after = $2 WHERE id = $4",
        params![hash, now, i64::from(must_change), id.0],
    )
    .await?;
    session::delete_of_account(tx, id).await?;
    bump(tx).await
}

/// Writes the same password in another way, unless it was changed meanwhile.
pub async fn rehash(tx: &mut Tx, id: AccountId, before: &str, hash: &str) -> Result<()> {
    let sql = "UPDATE account SET password = $1 WHERE id = $2 AND password = $3";
    tx.post(sql, params![hash, id.0, before]).await
}

/// Notes that so many passwords were wrong in a row, and until when none is right; a smaller number changes nothing.
pub async fn strike(
    tx: &mut Tx,
    id: AccountId,
    failures: u64,
    locked_until: Option<Timestamp>,
) -> Result<()> {
    let sql = "UPDATE account SET failures = $1, locked_until = $2 WHERE id = $3 AND failures < $1";
    tx.post(sql, params![failures, locked_until, id.0]).await
}

/// Forgets that passwords were wrong.
pub async fn unlock(tx: &mut Tx, id: AccountId) -> Result<()> {
    let sql = "UPDATE account SET failures = 0, locked_until = NULL WHERE id = $1";
    tx.post(sql, params![id.0]).await
}

/// Disables an account or enables it again. What was proved before is good for nothing either way.
pub async fn set_disabled(tx: &mut Tx, id: AccountId, disabled: bool, now: Timestamp) -> Result<()> {
    let sql = "UPDATE account SET disabled_at = $1, valid_after = $2 WHERE id = $3";
    tx.post(sql, params![disabled.then_some(now), now, id.0]).await?;
    session::delete_of_account(tx, id).await?;
    bump(tx).await
}

/// Ends all tokens and sessions from before.
pub async fn set_valid_after(tx: &mut Tx, id: AccountId, at: Timestamp) -> Result<()> {
    tx.post("UPDATE account SET valid_after = $1 WHERE id = $2", params![at, id.0]).await?;
    session::delete_of_account(tx, id).await?;
    bump(tx).await
}

/// Sets what is known of the person.
pub async fn set_profile(
    tx: &mut Tx,
    id: AccountId,
    display_name: Option<&str>,
    email: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE account SET display_name = $1, email = $2 WHERE id = $3";
    tx.post(sql, params![display_name, email, id.0]).await
}

/// Sets the groups that another service named. Tells whether that changed anything.
pub async fn set_groups(tx: &mut Tx, id: AccountId, groups: &[String]) -> Result<bool> {
    let json = groups_as_json(groups);
    let sql = "UPDATE account SET member_of = $1 WHERE id = $2 AND member_of <> $1";
    let changed = tx.execute(sql, params![&json, id.0]).await? > 0;
    if changed {
        bump(tx).await?;
    }
    Ok(changed)
}

/// Notes that the service which vouches for a person does so no more, or does so again: without it, what was proved before is good for
/// nothing, and no password made here either. Tells whether that changed anything.
pub async fn set_lapsed(tx: &mut Tx, id: AccountId, lapsed: bool, now: Timestamp) -> Result<bool> {
    let sql =
        "UPDATE account SET must_change = $1, valid_after = CASE WHEN $1 = 1 THEN $2 ELSE valid_after END
                WHERE id = $3 AND source <> 'local' AND must_change <> $1";
    let changed = tx.execute(sql, params![i64::from(lapsed), now, id.0]).await? > 0;
    if changed {
        if lapsed {
            session::delete_of_account(tx, id).await?;
        }
        bump(tx).await?;
    }
    Ok(changed)
}

/// Sets the sealed secret of the second factor, or takes it away. What was proved before, without it or with it, is good for nothing.
pub async fn set_totp(
    tx: &mut Tx,
    id: AccountId,
    sealed: Option<&[u8]>,
    step: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE account SET totp = $1, totp_step = $2, valid_after = $3 WHERE id = $4";
    tx.post(sql, params![sealed, step, now, id.0]).await?;
    session::delete_of_account(tx, id).await?;
    bump(tx).await
}

/// Uses up a step of the second factor. Returns false if it, or a later one, was used before.
pub async fn use_totp_step(tx: &mut Tx, id: AccountId, step: i64) -> Result<bool> {
    let sql = "UPDATE account SET totp_step = $1 WHERE id = $2 AND (totp_step IS NULL OR totp_step < $1)";
    Ok(tx.execute(sql, params![step, id.0]).await? == 1)
}

/// Tells whether a login at `now` is to be noted.
pub fn is_news(account: &Account, now: Timestamp) -> bool {
    account.failures > 0 || account.seen_at.is_none_or(|seen| now.duration_since(seen) >= NOTED_EVERY)
}

/// Notes a login: nothing was wrong since.
pub async fn note_login(tx: &mut Tx, id: AccountId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE account SET failures = 0, locked_until = NULL, seen_at = $1 WHERE id = $2";
    tx.post(sql, params![now, id.0]).await
}

/// Deletes an account with its passwords and sessions, and the roles that were given to its name: whoever gets the name next has none of them.
pub async fn delete(tx: &mut Tx, id: AccountId) -> Result<()> {
    binding::delete_user(tx, id).await?;
    session::delete_of_account(tx, id).await?;
    tx.post("DELETE FROM old_password WHERE account_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM app_password WHERE account_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM account WHERE id = $1", params![id.0]).await?;
    bump(tx).await
}
