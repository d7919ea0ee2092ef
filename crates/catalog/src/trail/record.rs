//! What one record says, and what its hash covers.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::driver::Row;
use crate::error::{Error, Result};

/// A link of the chain: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What comes before the first record of all.
    pub const ZERO: Self = Self([0; 32]);

    /// Reads what a column or a file holds.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_bytes(&hex::decode(text).ok()?)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::from_hex(&text).ok_or("not 64 hexadecimal digits")
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is to be recorded. Columns hold it as it is here; what a client sent is cut and cleaned before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Random id.
    pub id: String,
    /// When it happened, in microseconds at most.
    pub at: Timestamp,
    /// What was done: pull, push, delete, login, …
    pub action: String,
    /// Whether it was: `success` or `failure`.
    pub outcome: String,
    /// Who did it; a person by the pseudonym.
    pub actor: String,
    /// What the actor is: anonymous, user, robot, workload, work.
    pub kind: String,
    /// How the actor proved who it is.
    pub proof: String,
    /// First component of the repository's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Which tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Which manifest or blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// The id in the answer's header and in log lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The client's address, until the person is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The client's `User-Agent`, until the person is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What is personal, sealed under the person's key: the hash covers it instead of the plain columns.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_opt")]
    pub personal: Option<Vec<u8>>,
    /// More: a JSON object.
    pub detail: String,
    /// Position in the event log of the change that it records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<i64>,
}

/// A record of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Place in the trail, from 1, without gaps.
    pub position: i64,
    /// What it says.
    #[serde(rename = "record")]
    pub entry: Entry,
    /// Its link of the chain.
    pub hash: Hash,
}

impl Record {
    /// Leaves out what is sealed beside it: such a copy forgets with the key.
    #[must_use]
    pub fn without_plain(mut self) -> Self {
        if self.entry.personal.is_some() {
            (self.entry.client, self.entry.agent) = (None, None);
        }
        self
    }

    /// Computes what its hash has to be behind a record whose hash is `previous`.
    pub fn hash_behind(&self, previous: &Hash) -> Hash {
        self.entry.hash(self.position, previous)
    }
}

impl Entry {
    /// Returns the hash of this entry at `position`, behind a record whose hash is `previous`. Each field goes in with its length, so
    /// that no two different records feed the same bytes.
    pub fn hash(&self, position: i64, previous: &Hash) -> Hash {
        let mut link = Link(Sha256::new());
        link.0.update(previous.0);
        link.0.update(position.to_be_bytes());
        link.0.update(self.at.as_microsecond().to_be_bytes());
        for text in [&self.id, &self.action, &self.outcome, &self.actor, &self.kind, &self.proof] {
            link.bytes(Some(text.as_bytes()));
        }
        for text in [&self.project, &self.repository, &self.tag, &self.digest, &self.request_id] {
            link.bytes(text.as_deref().map(str::as_bytes));
        }
        link.number(self.status);
        link.bytes(self.personal.as_deref());
        if self.personal.is_none() {
            link.bytes(self.client.as_deref().map(str::as_bytes));
            link.bytes(self.agent.as_deref().map(str::as_bytes));
        }
        link.bytes(Some(self.detail.as_bytes()));
        link.number(self.event);
        Hash(link.0.finalize().into())
    }

    /// Replaces the character NUL, which text on Postgres can't hold: the hash is computed before that.
    pub(crate) fn without_nul(mut self) -> Self {
        let all = [
            Some(&mut self.id),
            Some(&mut self.action),
            Some(&mut self.outcome),
            Some(&mut self.actor),
            Some(&mut self.kind),
            Some(&mut self.proof),
            self.project.as_mut(),
            self.repository.as_mut(),
            self.tag.as_mut(),
            self.digest.as_mut(),
            self.request_id.as_mut(),
            self.client.as_mut(),
            self.agent.as_mut(),
            Some(&mut self.detail),
        ];
        for text in all.into_iter().flatten().filter(|text| text.contains('\0')) {
            *text = text.replace('\0', "\u{fffd}");
        }
        self
    }
}

struct Link(Sha256);

impl Link {
    fn bytes(&mut self, field: Option<&[u8]>) {
        let Some(bytes) = field else { return self.0.update([0]) };
        self.0.update([1]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn number(&mut self, field: Option<i64>) {
        self.bytes(field.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }
}

pub(super) fn read(row: &Row<'_>) -> Result<Record> {
    let text = |column: usize| row.text(column).map(ToOwned::to_owned);
    let text_opt = |column: usize| Ok::<_, Error>(row.text_opt(column)?.map(ToOwned::to_owned));
    Ok(Record {
        position: row.int(0)?,
        entry: Entry {
            id: text(1)?,
            at: row.time(2)?,
            action: text(3)?,
            outcome: text(4)?,
            actor: text(5)?,
            kind: text(6)?,
            proof: text(7)?,
            project: text_opt(8)?,
            repository: text_opt(9)?,
            tag: text_opt(10)?,
            digest: text_opt(11)?,
            status: row.int_opt(12)?,
            request_id: text_opt(13)?,
            client: text_opt(14)?,
            agent: text_opt(15)?,
            personal: row.bytes_opt(16)?.map(<[u8]>::to_vec),
            detail: text(17)?,
            event: row.int_opt(18)?,
        },
        hash: hash(row, 19)?,
    })
}

/// Reads a hash; one of another length is no hash that anything could have, so it is read as one that is wrong.
pub(super) fn hash(row: &Row<'_>, column: usize) -> Result<Hash> {
    Ok(Hash::from_bytes(row.bytes(column)?).unwrap_or(Hash([0xff; 32])))
}

/// Bytes in JSON.
pub(super) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod base64_opt {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            None => to.serialize_none(),
            Some(bytes) => to.serialize_str(&STANDARD.encode(bytes)),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()
    }
}
