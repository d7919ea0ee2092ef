//! Persons by their pseudonyms: what the event log and the audit trail know them by, and the key to what these say of them.
//!
//! Both are chained hash by hash, so nothing can be taken out of them. What is personal goes in sealed under a key of the person's
//! own; when that key is gone, so is what it sealed, and the chain still verifies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::{Catalog, subject};
use berth_vault::{Key, Vault, context};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Persons kept in memory, and for how long after their last request.
const KNOWN: u64 = 100_000;
const IDLE: Duration = Duration::from_hours(1);
/// Erasures looked at in one go.
const ERASED: usize = 1000;
/// Clocks of nodes may differ by this much: an erasure is looked at for so long.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// Clocks of nodes that tell of the same moment differ by less.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// What marks are made for, and their length.
const MARK: &[u8] = b"berth claimed name\0";
const MARK_BYTES: usize = 16;
/// What a person's key seals is one thing only.
const PERSONAL: &str = "personal";

/// Somebody as logs know them. Cheap to clone.
#[derive(Clone)]
pub struct Person(Arc<Inner>);

struct Inner {
    pseudonym: String,
    vault: Vault,
    key: Key,
    created_at: Timestamp,
}

/// What logs say of a person that is nobody's business once the person is erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The client's `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A person could not be found, or not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PersonError {
    /// The catalog could not say.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
    /// The person's key can't be opened.
    #[error("the key of {pseudonym}: {error}")]
    Vault {
        /// Whose.
        pseudonym: String,
        /// Why.
        error: berth_vault::Error,
    },
    /// No key could be made.
    #[error("no key could be made: {0}")]
    Key(String),
}

impl Person {
    /// Returns the name in logs.
    pub fn pseudonym(&self) -> &str {
        &self.0.pseudonym
    }

    /// Seals what is personal. `None` only if the system has no random numbers.
    pub fn seal(&self, personal: &Personal) -> Option<Vec<u8>> {
        let text = serde_json::to_vec(personal).ok()?;
        self.0.vault.seal(PERSONAL, &text).ok()
    }

    /// Opens what [`seal`](Self::seal) made; `None` if it is not this person's, or was changed.
    pub fn open(&self, sealed: &[u8]) -> Option<Personal> {
        serde_json::from_slice(&self.0.vault.open(PERSONAL, sealed).ok()?).ok()
    }
}

impl Person {
    fn new(pseudonym: String, key: Key, created_at: Timestamp) -> Result<Self, berth_vault::Error> {
        let vault = Vault::new(std::slice::from_ref(&key), &[])?;
        Ok(Self(Arc::new(Inner { pseudonym, vault, key, created_at })))
    }

    /// Returns what stands for a text that must not be read back, under this person's key: who has both can tell that it is the one,
    /// and nobody can tell which it was.
    pub fn mark(&self, text: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.key.material()).ok()?;
        mac.update(MARK);
        mac.update(text.as_bytes());
        let mark = mac.finalize().into_bytes();
        Some(hex::encode(mark.get(..MARK_BYTES)?))
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Person").field(&self.0.pseudonym).finish()
    }
}

/// All persons that logs know, each made when it is first seen. Cheap to clone; clones share what is in memory.
#[derive(Clone)]
pub struct Persons(Arc<Registry>);

struct Registry {
    catalog: Catalog,
    vault: Vault,
    /// By name.
    known: Cache<String, Person>,
    /// The time of the last erasure heard of.
    erased: Mutex<Timestamp>,
}

impl Persons {
    /// All who have no name of their own in logs: those who gave no credentials, and those who gave a name that never proved to be
    /// anybody's. One row for all of them, so that nobody can fill the table by guessing. No user's name has a colon.
    pub const NOBODY: &str = ":nobody";

    /// Keeps persons in `catalog`, and their keys there under `vault`.
    pub fn new(catalog: Catalog, vault: Vault) -> Self {
        let known = Cache::builder().max_capacity(KNOWN).time_to_idle(IDLE).build();
        let erased = Mutex::new(catalog.clock().now());
        Self(Arc::new(Registry { catalog, vault, known, erased }))
    }

    /// Returns the person of this name, whom it makes at first sight.
    pub async fn of(&self, name: &str) -> Result<Person, PersonError> {
        if let Some(known) = self.0.known.get(name) {
            return Ok(known);
        }
        if let Some(found) = self.find(name).await? {
            return Ok(found);
        }
        let key = Key::generate().map_err(|error| PersonError::Key(error.to_string()))?;
        let pseudonym = pseudonym()?;
        let failed = |error| PersonError::Vault { pseudonym: pseudonym.clone(), error };
        let sealed =
            self.0.vault.seal(&context::subject(&pseudonym, name), key.material()).map_err(failed)?;
        let (owned, offered, now) = (name.to_owned(), pseudonym.clone(), self.0.catalog.clock().now());
        let made = self
            .0
            .catalog
            .write(async move |tx| subject::ensure(tx, &owned, &offered, &sealed, now).await)
            .await;
        let person = match made {
            Ok(row) => {
                let person = row.map(|row| self.opened(&row)).transpose()?.flatten();
                person.ok_or_else(|| PersonError::Key("the row is gone again".to_owned()))?
            }
            Err(error) => return Err(error.into()),
        };
        self.0.known.insert(name.to_owned(), person.clone());
        Ok(person)
    }

    /// Returns the person of this name, if logs know one.
    pub async fn find(&self, name: &str) -> Result<Option<Person>, PersonError> {
        if let Some(known) = self.0.known.get(name) {
            return Ok(Some(known));
        }
        let row = self.0.catalog.read(async |r| subject::find(r, name).await).await?;
        let found = row.map(|row| self.opened(&row)).transpose()?.flatten();
        if let Some(found) = &found {
            self.0.known.insert(name.to_owned(), found.clone());
        }
        Ok(found)
    }

    /// Returns the person who had this name at `at`, and makes one at first sight. `None` if that may be somebody who was erased since:
    /// what is told late must not bring the name back.
    pub async fn of_then(&self, name: &str, at: Timestamp) -> Result<Option<Person>, PersonError> {
        if let Some(found) = self.find(name).await?
            && found.0.created_at <= at
        {
            return Ok(Some(found));
        }
        let since = at.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
        let erased = self.0.catalog.read(async |r| subject::list_erased(r, since, 1).await).await?;
        if erased.is_empty() { self.of(name).await.map(Some) } else { Ok(None) }
    }

    /// Tells of somebody whose key is not there whether that is an erasure of whom plain columns of the trail may still tell. `None` if
    /// there is nobody of this name in logs: erasure leaves the row, so somebody took it away.
    pub async fn is_half_erased(&self, name: &str) -> Result<Option<bool>, PersonError> {
        Ok(self.row(name).await?.map(|row| row.is_unfinished()))
    }

    /// Tells whether asking for somebody whom memory doesn't have would be waiting in vain.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        self.0.catalog.outage().is_some()
    }

    /// Returns the person of this name if memory has it: without waiting.
    pub(crate) fn remembered(&self, name: &str) -> Option<Person> {
        self.0.known.get(name)
    }

    /// Finds the key to what logs say of somebody, by the name in logs or [`Persons::NOBODY`]; `None` if it was erased.
    pub async fn logged_as(&self, name: &str) -> Result<Option<Person>, PersonError> {
        let row = self.row(name).await?;
        Ok(row.map(|row| self.opened(&row)).transpose()?.flatten())
    }

    /// Finds what the catalog has of somebody, by the name in logs or [`Persons::NOBODY`].
    async fn row(&self, name: &str) -> berth_catalog::Result<Option<subject::Subject>> {
        let is_nobody = name == Self::NOBODY;
        self.0
            .catalog
            .read(async |r| {
                if is_nobody {
                    subject::find(r, name).await
                } else {
                    subject::find_by_pseudonym(r, name).await
                }
            })
            .await
    }

    /// Forgets here who was erased, on whatever node: to be called every moment.
    pub async fn refresh(&self) -> Result<(), PersonError> {
        let seen = *self.0.erased.lock();
        let since = seen.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        let erased = self.0.catalog.read(async |r| subject::list_erased(r, since, ERASED).await).await?;
        let Some((_, last)) = erased.last() else { return Ok(()) };
        *self.0.erased.lock() = seen.max(*last);
        let gone: Vec<String> = self
            .0
            .known
            .iter()
            .filter(|(_, person)| erased.iter().any(|(pseudonym, _)| pseudonym == person.pseudonym()))
            .map(|(name, _)| name.as_ref().clone())
            .collect();
        for name in gone {
            self.0.known.invalidate(&name);
        }
        Ok(())
    }

    fn opened(&self, row: &subject::Subject) -> Result<Option<Person>, PersonError> {
        let Some(sealed) = &row.sealed else { return Ok(None) };
        let failed = |error| PersonError::Vault { pseudonym: row.pseudonym.clone(), error };
        let place = context::subject(&row.pseudonym, row.name.as_deref().unwrap_or_default());
        let key = self.0.vault.open(&place, sealed).map_err(failed)?;
        let key = Key::from_bytes(&key).ok_or_else(|| failed(berth_vault::Error::Damaged))?;
        Person::new(row.pseudonym.clone(), key, row.created_at).map(Some).map_err(failed)
    }
}

impl fmt::Debug for Persons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persons").finish_non_exhaustive()
    }
}

/// A name that says nothing.
fn pseudonym() -> Result<String, PersonError> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| PersonError::Key(error.to_string()))?;
    Ok(format!("person-{}", hex::encode(random)))
}
