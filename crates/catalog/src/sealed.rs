//! Every column that holds something sealed under the vault's key, to seal it anew under another.

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::hidden::Hidden;
use crate::tx::Tx;

/// A column of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// Private keys that tokens are signed with, named by `kid`.
    SigningKey,
    /// Secrets of the configuration, by name.
    Secret,
    /// Second factors, by the account's name.
    Totp,
    /// Keys to what the logs say of persons, by pseudonym, a slash and name.
    Subject,
}

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The row, in its table.
    pub id: i64,
    /// What names the row for good.
    pub name: String,
    /// The value.
    pub value: Hidden<Vec<u8>>,
}

impl Column {
    /// Every such column.
    pub const ALL: [Self; 4] = [Self::SigningKey, Self::Secret, Self::Totp, Self::Subject];

    /// The word for what it holds.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SigningKey => "signing keys",
            Self::Secret => "secrets",
            Self::Totp => "second factors",
            Self::Subject => "subject keys",
        }
    }

    const fn select(self) -> &'static str {
        match self {
            Self::SigningKey => "SELECT id, kid, sealed FROM signing_key WHERE id > $1 ORDER BY id LIMIT $2",
            Self::Secret => "SELECT id, name, sealed FROM secret WHERE id > $1 ORDER BY id LIMIT $2",
            Self::Totp => {
                "SELECT id, name, totp FROM account WHERE id > $1 AND totp IS NOT NULL ORDER BY id LIMIT $2"
            }
            Self::Subject => {
                "SELECT id, pseudonym || '/' || COALESCE(name, ''), sealed FROM subject
                  WHERE id > $1 AND sealed IS NOT NULL ORDER BY id LIMIT $2"
            }
        }
    }

    const fn update(self) -> &'static str {
        match self {
            Self::SigningKey => "UPDATE signing_key SET sealed = $1 WHERE id = $2 AND sealed = $3",
            Self::Secret => "UPDATE secret SET sealed = $1 WHERE id = $2 AND sealed = $3",
            Self::Totp => "UPDATE account SET totp = $1 WHERE id = $2 AND totp = $3",
            Self::Subject => "UPDATE subject SET sealed = $1 WHERE id = $2 AND sealed = $3",
        }
    }
}

/// Lists values of a column, in the order of rows behind `after`.
pub async fn list(r: &Reader, column: Column, after: i64, limit: usize) -> Result<Vec<Sealed>> {
    r.query(column.select(), params![after, limit], |row| {
        Ok(Sealed {
            id: row.int(0)?,
            name: row.text(1)?.to_owned(),
            value: Hidden::new(row.bytes(2)?.to_owned()),
        })
    })
    .await
}

/// Puts another seal around the same secret. Returns false, and changes nothing, if the value is not what it was any more.
pub async fn replace(tx: &mut Tx, column: Column, old: &Sealed, new: &[u8]) -> Result<bool> {
    let changed = tx.execute(column.update(), params![new, old.id, old.value.as_slice()]).await?;
    Ok(changed > 0)
}
