//! The catalog as rows that depend on no database: what a backup keeps, page by page in the order of each table's key.
//!
//! Rows name each other as people do (repository by name, blob and manifest by digest), so that another catalog can take them in
//! ([`restore`](crate::restore)). Left out is what has no meaning elsewhere: upload sessions, jobs, trash, locations, and blobs that
//! nothing links.

mod access;

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use berth_oci::Digest;
use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::event::Fields;
use crate::postgres::export::list_unsealed;

pub use access::{
    Account, AppPassword, Binding, OldPassword, Project, Robot, RobotSecret, Role, Secret, SigningKey,
    Subject, VaultKey,
};

/// The key of the last row of a page; the default lies before every row.
#[derive(Debug, Clone, Default)]
pub struct Key {
    first: i64,
    second: i64,
    name: String,
}

impl Key {
    fn id(first: i64) -> Self {
        Self { first, ..Self::default() }
    }

    fn name(first: i64, name: &str) -> Self {
        Self { first, name: name.to_owned(), ..Self::default() }
    }
}

/// A table's row as a backup keeps it.
pub trait Exported: Serialize + DeserializeOwned + Sized {
    /// The table.
    const NOUN: &'static str;

    /// Lists up to `limit` rows behind `after`, each with its key.
    fn page(r: &Reader, after: &Key, limit: usize) -> impl Future<Output = Result<Vec<(Key, Self)>>>;
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// When it came to be, in microseconds.
    pub created_at: i64,
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When it came to be, in microseconds.
    pub created_at: i64,
    /// Since when its bytes are known to be damaged, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged_at: Option<i64>,
    /// Its bytes, if they lie in the row.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_bytes")]
    pub content: Option<Bytes>,
    /// Where its bytes lie in this catalog's store; no other store knows the place.
    #[serde(skip)]
    pub location: Option<String>,
}

/// A blob that is readable in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobLink {
    /// The repository.
    pub repository: String,
    /// The blob.
    pub digest: Digest,
    /// Since when it waits for review, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questioned_at: Option<i64>,
}

/// A manifest, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The repository.
    pub repository: String,
    /// Its digest.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
    /// The digest that it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its effective artifact type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Levels of manifests below and including it.
    pub depth: i64,
    /// When it was pushed last, in microseconds.
    pub pushed_at: i64,
    /// Since when it waits for review, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questioned_at: Option<i64>,
    /// Its entry in the referrers API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<String>,
    /// Blobs it names that are there.
    pub blobs: Vec<Digest>,
    /// Blobs it names that were not there when it was pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Digest>,
    /// Manifests it lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Digest>,
    /// Its text, as pushed.
    pub content: String,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The repository.
    pub repository: String,
    /// Its name.
    pub name: String,
    /// The manifest it points at.
    pub digest: Digest,
    /// When it was set, in microseconds.
    pub moved_at: i64,
}

/// How often something was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The repository.
    pub repository: String,
    /// Tag or digest as asked for.
    pub reference: String,
    /// Pulls.
    pub count: i64,
    /// When it was pulled last, in microseconds.
    pub last_at: i64,
}

/// An event of the sealed log, exactly as its hash covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the log, from 1, without gaps.
    pub position: i64,
    /// Random id.
    pub id: String,
    /// When it happened, in microseconds.
    pub at: i64,
    /// What happened.
    pub kind: String,
    /// Where; empty for the whole registry.
    pub repository: String,
    /// Which tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Which manifest or blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who did it.
    pub caller: String,
    /// More, as the text of a JSON object.
    pub detail: String,
    /// Hash over the hash before and this event, in hex.
    pub hash: String,
}

impl Event {
    /// Returns the hash that this event must have behind the hash `previous` (zeros for the first).
    pub fn hash_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let fields = Fields {
            id: Cow::Borrowed(&self.id),
            at: self.at,
            kind: Cow::Borrowed(&self.kind),
            repository: Cow::Borrowed(&self.repository),
            tag: self.tag.as_deref().map(Cow::Borrowed),
            digest: self.digest.as_deref().map(Cow::Borrowed),
            caller: Cow::Borrowed(&self.caller),
            detail: Cow::Borrowed(&self.detail),
        };
        fields.hash(self.position, previous)
    }
}

fn text(row: &Row<'_>, column: usize) -> Result<String> {
    row.text(column).map(ToOwned::to_owned)
}

fn text_opt(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    Ok(row.text_opt(column)?.map(ToOwned::to_owned))
}

impl Exported for Repository {
    const NOUN: &'static str = "repository";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        let sql = "SELECT id, name, created_at FROM repository WHERE id > $1 ORDER BY id LIMIT $2";
        r.query(sql, params![after.first, limit], |row| {
            Ok((Key::id(row.int(0)?), Self { name: text(row, 1)?, created_at: row.int(2)? }))
        })
        .await
    }
}

impl Exported for Blob {
    const NOUN: &'static str = "blob";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        r.query(
            "SELECT id, digest, size, created_at, damaged_at, content, location FROM blob
              WHERE id > $1 AND condemned_at IS NULL ORDER BY id LIMIT $2",
            params![after.first, limit],
            |row| {
                let blob = Self {
                    digest: row.digest(1)?,
                    size: row.size(2)?,
                    created_at: row.int(3)?,
                    damaged_at: row.int_opt(4)?,
                    content: row.bytes_opt(5)?.map(Bytes::copy_from_slice),
                    location: text_opt(row, 6)?,
                };
                Ok((Key::id(row.int(0)?), blob))
            },
        )
        .await
    }
}

impl Exported for BlobLink {
    const NOUN: &'static str = "link";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        r.query(
            "SELECT l.repository_id, l.blob_id, r.name, b.digest, l.questioned_at
               FROM link AS l
               JOIN repository AS r ON r.id = l.repository_id
               JOIN blob AS b ON b.id = l.blob_id
              WHERE (l.repository_id, l.blob_id) > ($1, $2)
              ORDER BY l.repository_id, l.blob_id LIMIT $3",
            params![after.first, after.second, limit],
            |row| {
                let key = Key { first: row.int(0)?, second: row.int(1)?, name: String::new() };
                let link = Self {
                    repository: text(row, 2)?,
                    digest: row.digest(3)?,
                    questioned_at: row.int_opt(4)?,
                };
                Ok((key, link))
            },
        )
        .await
    }
}

impl Exported for Manifest {
    const NOUN: &'static str = "manifest";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        let mut page = r
            .query(
                "SELECT m.id, r.name, m.digest, m.media_type, m.subject, m.artifact_type, m.depth, m.pushed_at,
                        m.questioned_at, m.descriptor, m.content
                   FROM manifest AS m JOIN repository AS r ON r.id = m.repository_id
                  WHERE m.id > $1 ORDER BY m.id LIMIT $2",
                params![after.first, limit],
                |row| {
                    let content = row.bytes(10)?;
                    let content = str::from_utf8(content)
                        .map_err(|error| Error::Invalid { what: "manifest", value: error.to_string() })?;
                    let manifest = Self {
                        repository: text(row, 1)?,
                        digest: row.digest(2)?,
                        media_type: text(row, 3)?,
                        subject: text_opt(row, 4)?,
                        artifact_type: text_opt(row, 5)?,
                        depth: row.int(6)?,
                        pushed_at: row.int(7)?,
                        questioned_at: row.int_opt(8)?,
                        descriptor: text_opt(row, 9)?,
                        blobs: Vec::new(),
                        missing: Vec::new(),
                        children: Vec::new(),
                        content: content.to_owned(),
                    };
                    Ok((Key::id(row.int(0)?), manifest))
                },
            )
            .await?;
        for (key, manifest) in &mut page {
            manifest.blobs = digests(
                r,
                "SELECT b.digest FROM manifest_blob AS mb JOIN blob AS b ON b.id = mb.blob_id WHERE mb.manifest_id = $1",
                key.first,
            )
            .await?;
            let missing = "SELECT digest FROM manifest_missing WHERE manifest_id = $1";
            manifest.missing = digests(r, missing, key.first).await?;
            let children = "SELECT digest FROM manifest_child WHERE manifest_id = $1";
            manifest.children = digests(r, children, key.first).await?;
        }
        Ok(page)
    }
}

async fn digests(r: &Reader, sql: &'static str, id: i64) -> Result<Vec<Digest>> {
    r.query(sql, params![id], |row| row.digest(0)).await
}

impl Exported for Tag {
    const NOUN: &'static str = "tag";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        r.query(
            "SELECT t.repository_id, r.name, t.name, m.digest, t.moved_at
               FROM tag AS t
               JOIN repository AS r ON r.id = t.repository_id
               JOIN manifest AS m ON m.id = t.manifest_id
              WHERE (t.repository_id, t.name) > ($1, $2)
              ORDER BY t.repository_id, t.name LIMIT $3",
            params![after.first, &after.name, limit],
            |row| {
                let tag = Self {
                    repository: text(row, 1)?,
                    name: text(row, 2)?,
                    digest: row.digest(3)?,
                    moved_at: row.int(4)?,
                };
                Ok((Key::name(row.int(0)?, &tag.name), tag))
            },
        )
        .await
    }
}

impl Exported for Pull {
    const NOUN: &'static str = "pull";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        r.query(
            "SELECT p.repository_id, r.name, p.reference, p.count, p.last_at
               FROM pull AS p JOIN repository AS r ON r.id = p.repository_id
              WHERE (p.repository_id, p.reference) > ($1, $2)
              ORDER BY p.repository_id, p.reference LIMIT $3",
            params![after.first, &after.name, limit],
            |row| {
                let pull = Self {
                    repository: text(row, 1)?,
                    reference: text(row, 2)?,
                    count: row.int(3)?,
                    last_at: row.int(4)?,
                };
                Ok((Key::name(row.int(0)?, &pull.reference), pull))
            },
        )
        .await
    }
}

impl Exported for Event {
    const NOUN: &'static str = "event";

    async fn page(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Self)>> {
        let mut page = sealed(r, after, limit).await?;
        if page.len() < limit && r.shared().is_some() {
            // They get the places that they would get now: the export's log ends with what has happened.
            let last = page.last().map_or(after, |(key, _)| key).clone();
            page.extend(seal(last, r, limit - page.len()).await?);
        }
        Ok(page)
    }
}

async fn sealed(r: &Reader, after: &Key, limit: usize) -> Result<Vec<(Key, Event)>> {
    r.query(
        "SELECT position, id, at, kind, repository, tag, digest, caller, detail, hash
               FROM event WHERE position > $1 ORDER BY position LIMIT $2",
        params![after.first, limit],
        |row| {
            let event = Event {
                position: row.int(0)?,
                id: text(row, 1)?,
                at: row.int(2)?,
                kind: text(row, 3)?,
                repository: text(row, 4)?,
                tag: text_opt(row, 5)?,
                digest: text_opt(row, 6)?,
                caller: text(row, 7)?,
                detail: text(row, 8)?,
                hash: hex::encode(row.bytes(9)?),
            };
            Ok((Key::name(event.position, &event.hash), event))
        },
    )
    .await
}

/// Lists events that wait to be sealed behind `last`, a key with the hash before them.
async fn seal(last: Key, r: &Reader, limit: usize) -> Result<Vec<(Key, Event)>> {
    let hash = if last.name.is_empty() { vec![0; 32] } else { hex::decode(&last.name).unwrap_or_default() };
    let mut hash: [u8; 32] =
        hash.try_into().map_err(|_| Error::Invalid { what: "event hash", value: last.name.clone() })?;
    let (mut position, mut listed) = (last.first, Vec::new());
    for (number, mut event) in list_unsealed(r, last.second, limit).await? {
        position += 1;
        event.position = position;
        hash = event.hash_after(&hash);
        event.hash = hex::encode(hash);
        listed.push((Key { first: position, second: number, name: event.hash.clone() }, event));
    }
    Ok(listed)
}

/// Bytes as base64 in JSON.
mod base64_bytes {
    use super::*;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| BASE64_STANDARD.decode(text).map(Bytes::from)).transpose().map_err(D::Error::custom)
    }
}
