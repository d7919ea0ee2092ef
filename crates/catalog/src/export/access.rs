//! Who may do what, as rows: hashes and sealed secrets included, so what holds them is as secret as the registry itself.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{Exported, Key};
use crate::driver::{Param, Reader, Row, params};
use crate::error::{Error, Result};
use crate::restore::Restored;
use crate::tx::Tx;

/// A column's value, on its way out and in.
trait Column: Sized {
    fn read(row: &Row<'_>, column: usize) -> Result<Self>;

    fn param(&self) -> Param<'_>;
}

impl Column for i64 {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.int(column)
    }

    fn param(&self) -> Param<'_> {
        Param::Int(*self)
    }
}

impl Column for Option<i64> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        row.int_opt(column)
    }

    fn param(&self) -> Param<'_> {
        Param::from(*self)
    }
}

impl Column for String {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        Ok(row.text(column)?.to_owned())
    }

    fn param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl Column for Option<String> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        Ok(row.text_opt(column)?.map(ToOwned::to_owned))
    }

    fn param(&self) -> Param<'_> {
        Param::from(self.as_deref())
    }
}

/// Bytes, base64 in JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Binary(Vec<u8>);

impl From<Binary> for String {
    fn from(binary: Binary) -> Self {
        BASE64_STANDARD.encode(binary.0)
    }
}

impl TryFrom<String> for Binary {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, base64::DecodeError> {
        BASE64_STANDARD.decode(text).map(Self)
    }
}

impl Column for Binary {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        Ok(Self(row.bytes(column)?.to_owned()))
    }

    fn param(&self) -> Param<'_> {
        Param::Bytes(&self.0)
    }
}

impl Column for Option<Binary> {
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        Ok(row.bytes_opt(column)?.map(|bytes| Binary(bytes.to_owned())))
    }

    fn param(&self) -> Param<'_> {
        Param::from(self.as_ref().map(|binary| &binary.0[..]))
    }
}

/// Makes a row's type from the two statements that read and write its columns, in the order of its fields; its key is read before them.
/// There is no `Debug`: what is in them is nobody's business.
macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident $noun:literal { $($field:ident: $kind:ty),+ $(,)? } $select:literal [$($key:ident)+] $insert:literal)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
            #[expect(missing_docs, reason = "the columns of the table, which say what they hold in its migration")]
            pub struct $row { $(pub $field: $kind),+ }

            impl Exported for $row {
                const NOUN: &'static str = $noun;

                async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
                    r.query($select, params![$(after.$key),+, limit], |row| {
                        let mut columns = 0..;
                        let mut key = Key::default();
                        $(key.$key = row.int(columns.next().unwrap_or_default())?;)+
                        let row = Self { $($field: Column::read(row, columns.next().unwrap_or_default())?),+ };
                        Ok((key, row))
                    })
                    .await
                }
            }

            impl Restored for $row {
                async fn restore(&self, tx: &mut Tx) -> Result<()> {
                    if tx.execute($insert, &[$(self.$field.param()),+]).await? == 1 {
                        return Ok(());
                    }
                    Err(Error::Invalid { what: "row", value: format!("of {}: what it names is not there", $noun) })
                }
            }
        )+
    };
}

rows! {
    /// A project.
    Project "project" { name: String, public: i64, settings: String, created_at: i64, created_by: String }
    "SELECT id, name, public, settings, created_at, created_by FROM project WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO project (name, public, settings, created_at, created_by) VALUES ($1, $2, $3, $4, $5)"

    /// A role.
    Role "role" { name: String, description: String, policies: String, changed_at: i64 }
    "SELECT id, name, description, policies, changed_at FROM role WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO role (name, description, policies, changed_at) VALUES ($1, $2, $3, $4)"

    /// Who has which role where.
    Binding "binding" { kind: String, subject: String, role: String, project: String, created_at: i64, created_by: String }
    "SELECT id, kind, subject, role, project, created_at, created_by FROM binding
      WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO binding (kind, subject, role, project, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)"

    /// An account.
    Account "account" {
        name: String, source: String, external: Option<String>, display_name: Option<String>, email: Option<String>,
        password: Option<String>, password_changed_at: Option<i64>, must_change: i64, failures: i64, locked_until: Option<i64>,
        totp: Option<Binary>, totp_step: Option<i64>, member_of: String, disabled_at: Option<i64>, valid_after: i64,
        created_at: i64, seen_at: Option<i64>,
    }
    "SELECT id, name, source, external, display_name, email, password, password_changed_at, must_change, failures,
            locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at
       FROM account WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO account (name, source, external, display_name, email, password, password_changed_at, must_change, failures,
                          locked_until, totp, totp_step, member_of, disabled_at, valid_after, created_at, seen_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"

    /// A password that an account had.
    OldPassword "old_password" { changed_at: i64, password: String, account: String }
    "SELECT o.account_id, o.changed_at, o.changed_at, o.password, a.name
       FROM old_password AS o JOIN account AS a ON a.id = o.account_id
      WHERE (o.account_id, o.changed_at) > ($1, $2) ORDER BY o.account_id, o.changed_at LIMIT $3" [first second]
    "INSERT INTO old_password (changed_at, password, account_id)
     SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), id FROM account WHERE name = $3"

    /// A password that a user made for a client.
    AppPassword "app_password" {
        name: String, secret: String, created_at: i64, expires_at: i64, revoked_at: Option<i64>, used_at: Option<i64>,
        account: String,
    }
    "SELECT p.id, p.name, p.secret, p.created_at, p.expires_at, p.revoked_at, p.used_at, a.name
       FROM app_password AS p JOIN account AS a ON a.id = p.account_id WHERE p.id > $1 ORDER BY p.id LIMIT $2" [first]
    "INSERT INTO app_password (name, secret, created_at, expires_at, revoked_at, used_at, account_id)
     SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT),
            CAST($6 AS BIGINT), id FROM account WHERE name = $7"

    /// A robot.
    Robot "robot" {
        name: String, project: String, description: String, policies: String, owner: String, known_to: String,
        created_at: i64, expires_at: Option<i64>, disabled_at: Option<i64>, valid_after: i64, used_at: Option<i64>,
    }
    "SELECT id, name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at, valid_after,
            used_at
       FROM robot WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO robot (name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at,
                        valid_after, used_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

    /// A robot's secret.
    RobotSecret "robot_secret" { secret: String, created_at: i64, expires_at: Option<i64>, robot: String }
    "SELECT s.id, s.secret, s.created_at, s.expires_at, r.name
       FROM robot_secret AS s JOIN robot AS r ON r.id = s.robot_id WHERE s.id > $1 ORDER BY s.id LIMIT $2" [first]
    "INSERT INTO robot_secret (secret, created_at, expires_at, robot_id)
     SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), id FROM robot WHERE name = $4"

    /// A key that tokens are signed with.
    SigningKey "signing_key" { kid: String, sealed: Binary, public: String, created_at: i64, gone_at: Option<i64> }
    "SELECT id, kid, sealed, public, created_at, gone_at FROM signing_key WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO signing_key (kid, sealed, public, created_at, gone_at) VALUES ($1, $2, $3, $4, $5)"

    /// A key that secrets are sealed under.
    VaultKey "vault_key" { kid: String, material: Option<Binary>, created_at: i64 }
    "SELECT id, kid, material, created_at FROM vault_key WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO vault_key (kid, material, created_at) VALUES ($1, $2, $3)"

    /// A sealed secret of the configuration.
    Secret "secret" { name: String, sealed: Binary, changed_at: i64 }
    "SELECT id, name, sealed, changed_at FROM secret WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO secret (name, sealed, changed_at) VALUES ($1, $2, $3)"

    /// A person in the logs.
    Subject "subject" {
        pseudonym: String, name: Option<String>, sealed: Option<Binary>, created_at: i64, erased_at: Option<i64>,
        blanked_at: Option<i64>,
    }
    "SELECT id, pseudonym, name, sealed, created_at, erased_at, blanked_at FROM subject
      WHERE id > $1 ORDER BY id LIMIT $2" [first]
    "INSERT INTO subject (pseudonym, name, sealed, created_at, erased_at, blanked_at) VALUES ($1, $2, $3, $4, $5, $6)"
}
