//! The event log: every change, once, in commit order, hash-chained.
//!
//! A unit of work appends. On SQLite the writer seals what a group appended just before the group commits: it gives each event
//! its position and its hash over the previous hash. On Postgres, which has many writers, one node at a time seals shortly after
//! the commit. So the log has no gaps, and nothing in it can be altered, removed or re-ordered without breaking the chain.

use std::borrow::Cow;

use berth_oci::{Digest, RepositoryName, Tag};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::driver::{Reader, Row, params, parse};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A manifest was pushed that the repository did not hold.
    ManifestPushed,
    /// A manifest was deleted.
    ManifestDeleted,
    /// A tag was set or moved; `detail.previous` is the digest it pointed at before.
    TagMoved,
    /// A tag was deleted.
    TagDeleted,
    /// A blob was deleted from a repository by a client.
    BlobDeleted,
    /// A manifest that nothing needed was collected.
    ManifestCollected,
    /// A blob's bytes were found damaged or missing.
    BlobDamaged,
    /// An account was made, changed or deleted: `detail.change` says how, `detail.account` is its number, which names nobody once it
    /// is deleted.
    AccountChanged,
    /// A robot was made, changed or deleted: `detail.change` says how.
    RobotChanged,
    /// Somebody made a project, otherwise than by a push; `detail.project` names it.
    ProjectCreated,
    /// Another key signs tokens from now on; `detail.kid` names it.
    SigningKeyChanged,
    /// A secret of the configuration was set or removed, or all were sealed anew: `detail.change` says which.
    SecretChanged,
    /// A project was opened to everybody, or closed, or set otherwise.
    ProjectChanged,
    /// A project was deleted, with its bindings and robots.
    ProjectDeleted,
    /// A role was made or changed; `detail` says what it allows now.
    RoleChanged,
    /// A role was deleted.
    RoleDeleted,
    /// A role was bound; `detail` says to whom and where.
    BindingAdded,
    /// A role was taken away; `detail` says from whom and where.
    BindingRemoved,
}

impl Kind {
    /// Returns the name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManifestPushed => "manifest_pushed",
            Self::ManifestDeleted => "manifest_deleted",
            Self::TagMoved => "tag_moved",
            Self::TagDeleted => "tag_deleted",
            Self::BlobDeleted => "blob_deleted",
            Self::ManifestCollected => "manifest_collected",
            Self::BlobDamaged => "blob_damaged",
            Self::AccountChanged => "account_changed",
            Self::RobotChanged => "robot_changed",
            Self::SigningKeyChanged => "signing_key_changed",
            Self::SecretChanged => "secret_changed",
            Self::ProjectCreated => "project_created",
            Self::ProjectChanged => "project_changed",
            Self::ProjectDeleted => "project_deleted",
            Self::RoleChanged => "role_changed",
            Self::RoleDeleted => "role_deleted",
            Self::BindingAdded => "binding_added",
            Self::BindingRemoved => "binding_removed",
        }
    }
}

/// An event to append.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Random id, for those who must recognise a repeat.
    pub id: uuid::Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: Kind,
    /// Where; `None` for the whole registry.
    pub repository: Option<RepositoryName>,
    /// Which tag.
    pub tag: Option<Tag>,
    /// Which manifest or blob.
    pub digest: Option<Digest>,
    /// Who did it.
    pub author: Author,
    /// More, as a JSON object.
    pub detail: serde_json::Value,
}

/// Who did something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The caller's name.
    pub name: String,
    /// From where, and how the caller proved who it is, as a JSON object; it becomes `origin` in the event's detail.
    pub origin: Option<serde_json::Value>,
}

impl From<&str> for Author {
    /// Somebody who comes from nowhere: work that the registry does by itself.
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), origin: None }
    }
}

/// An event of the sealed log.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Place in the log, from 1, without gaps.
    pub position: i64,
    /// Random id.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, see [`Kind::as_str`].
    pub kind: String,
    /// Where; empty for the whole registry.
    pub repository: String,
    /// Which tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Which manifest or blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Who did it.
    pub caller: String,
    /// More, as a JSON object.
    pub detail: serde_json::Value,
    /// Chain hash in hex.
    pub hash: String,
}

/// Appends an event to the unit of work; it is sealed when the unit commits, on a shared catalog shortly after.
pub async fn append(tx: &mut Tx, event: NewEvent) {
    tx.marks().events.push(event);
}

/// Gives every event of the group its position and hash. Runs once, last, in the group's transaction.
pub(crate) fn seal(tx: &mut Tx) -> Result<()> {
    let events = std::mem::take(&mut tx.marks().events);
    if events.is_empty() {
        return Ok(());
    }
    let (mut position, mut hash) = head(tx)?;
    for event in &events {
        position += 1;
        let fields = Fields::of(event);
        let link = fields.link(position);
        hash = link.hash(&hash);
        tx.embedded()?.run(
            "INSERT INTO event (position, id, at, kind, repository, tag, digest, caller, detail, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                position,
                link.id,
                link.at,
                link.kind,
                link.repository,
                link.tag,
                link.digest,
                link.caller,
                link.detail,
                &hash[..]
            ],
        )?;
    }
    tx.marks().sealed = Some(position);
    Ok(())
}

/// An event as its columns hold it.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) at: i64,
    pub(crate) kind: Cow<'a, str>,
    pub(crate) repository: Cow<'a, str>,
    pub(crate) tag: Option<Cow<'a, str>>,
    pub(crate) digest: Option<Cow<'a, str>>,
    pub(crate) caller: Cow<'a, str>,
    pub(crate) detail: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(event: &'a NewEvent) -> Self {
        Self {
            id: event.id.to_string().into(),
            at: event.at.as_microsecond(),
            kind: event.kind.as_str().into(),
            repository: event.repository.as_ref().map_or("", RepositoryName::as_str).into(),
            tag: event.tag.as_ref().map(|tag| tag.as_str().into()),
            digest: event.digest.map(|digest| digest.to_string().into()),
            caller: event.author.name.as_str().into(),
            detail: detail(event).into(),
        }
    }

    /// Returns the chain hash of the event at `position`, behind an event whose hash is `previous`.
    pub(crate) fn hash(&self, position: i64, previous: &[u8; 32]) -> [u8; 32] {
        self.link(position).hash(previous)
    }

    fn link(&self, position: i64) -> Link<'_> {
        Link {
            position,
            id: &self.id,
            at: self.at,
            kind: &self.kind,
            repository: &self.repository,
            tag: self.tag.as_deref(),
            digest: self.digest.as_deref(),
            caller: &self.caller,
            detail: &self.detail,
        }
    }
}

fn detail(event: &NewEvent) -> String {
    let Some(origin) = &event.author.origin else { return event.detail.to_string() };
    let mut detail = event.detail.clone();
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("origin".to_owned(), origin.clone());
    }
    detail.to_string()
}

fn head(tx: &Tx) -> Result<(i64, [u8; 32])> {
    let found = crate::writer::poll_once(tx.query_opt(
        "SELECT position, hash FROM event ORDER BY position DESC LIMIT 1",
        params![],
        |row| Ok((row.int(0)?, chain_hash(row, 1)?)),
    ));
    Ok(found.ok_or(Error::Closed)??.unwrap_or((0, [0; 32])))
}

fn chain_hash(row: &Row<'_>, column: usize) -> Result<[u8; 32]> {
    let bytes = row.bytes(column)?;
    bytes.try_into().map_err(|_| Error::Invalid { what: "event hash", value: hex::encode(bytes) })
}

/// Exactly what an event's hash covers, besides the hash before it.
struct Link<'a> {
    position: i64,
    id: &'a str,
    at: i64,
    kind: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    caller: &'a str,
    detail: &'a str,
}

impl Link<'_> {
    /// Each field goes in with its length, so that no two different events feed the same bytes.
    fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(self.position.to_be_bytes());
        hasher.update(self.at.to_be_bytes());
        for field in [
            Some(self.id),
            Some(self.kind),
            Some(self.repository),
            self.tag,
            self.digest,
            Some(self.caller),
            Some(self.detail),
        ] {
            match field {
                None => hasher.update([0]),
                Some(text) => {
                    hasher.update([1]);
                    hasher.update((text.len() as u64).to_be_bytes());
                    hasher.update(text);
                }
            }
        }
        hasher.finalize().into()
    }
}

/// Lists events after `position`, in order.
pub async fn list(r: &Reader, position: i64, limit: usize) -> Result<Vec<Event>> {
    r.query(
        "SELECT position, id, at, kind, repository, tag, digest, caller, detail, hash
           FROM event WHERE position > $1 ORDER BY position LIMIT $2",
        params![position, limit],
        read_event,
    )
    .await
}

fn read_event(row: &Row<'_>) -> Result<Event> {
    let detail = row.text(8)?;
    Ok(Event {
        position: row.int(0)?,
        id: row.text(1)?.to_owned(),
        at: row.time(2)?,
        kind: row.text(3)?.to_owned(),
        repository: row.text(4)?.to_owned(),
        tag: row.text_opt(5)?.map(ToOwned::to_owned),
        digest: row.text_opt(6)?.map(|text| parse(text, "digest")).transpose()?,
        caller: row.text(7)?.to_owned(),
        detail: serde_json::from_str(detail)
            .map_err(|_| Error::Invalid { what: "event detail", value: detail.to_owned() })?,
        hash: hex::encode(row.bytes(9)?),
    })
}

/// Returns the last position and its hash in hex; (0, zeros) for an empty log.
pub async fn last(r: &Reader) -> Result<(i64, String)> {
    let found = r
        .query_opt("SELECT position, hash FROM event ORDER BY position DESC LIMIT 1", params![], |row| {
            Ok((row.int(0)?, hex::encode(row.bytes(1)?)))
        })
        .await?;
    Ok(found.unwrap_or((0, hex::encode([0; 32]))))
}

/// Counts the events that have happened and that no node has sealed yet: always 0 on SQLite.
pub async fn count_unsealed(r: &Reader) -> Result<u64> {
    match r.shared() {
        None => Ok(0),
        Some(_) => crate::postgres::count_unsealed(r).await,
    }
}

/// Checks the chain from its start, `batch` events at a time. Returns the first position whose hash is wrong or missing.
pub async fn verify(r: &Reader, batch: usize) -> Result<Option<i64>> {
    let (mut position, mut previous) = (0_i64, [0_u8; 32]);
    loop {
        let start = position;
        let events = r
            .query(
                "SELECT position, id, at, kind, repository, tag, digest, caller, detail, hash
                   FROM event WHERE position > $1 ORDER BY position LIMIT $2",
                params![position, batch],
                |row| {
                    let link = Link {
                        position: row.int(0)?,
                        id: row.text(1)?,
                        at: row.int(2)?,
                        kind: row.text(3)?,
                        repository: row.text(4)?,
                        tag: row.text_opt(5)?,
                        digest: row.text_opt(6)?,
                        caller: row.text(7)?,
                        detail: row.text(8)?,
                    };
                    let right = link.position == position + 1 && link.hash(&previous) == chain_hash(row, 9)?;
                    position += 1;
                    previous = chain_hash(row, 9)?;
                    Ok(right)
                },
            )
            .await?;
        if let Some((wrong, _)) = (start + 1..).zip(&events).find(|(_, right)| !**right) {
            return Ok(Some(wrong));
        }
        if events.len() < batch {
            return Ok(None);
        }
    }
}

pub(crate) fn last_position(connection: &rusqlite::Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT COALESCE(MAX(position), 0) FROM event", [], |row| row.get(0))?)
}
