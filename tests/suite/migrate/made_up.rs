//! A catalog full of images that nobody pushed, written straight into the tables of a server that does not run.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, Transaction, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::harness::{MANIFEST, digest_of};

/// Images of a repository.
const IMAGES: i64 = 1000;
/// Layers that all images share.
const LAYERS: i64 = 3;
const NOW: i64 = 1_700_000_000_000_000;

/// Writes `images` images, each with a tag, a configuration of its own and an event, behind whatever is there.
pub(super) fn fill(data_dir: &Path, images: u64) -> Result<()> {
    let images = i64::try_from(images)?;
    let mut connection = Connection::open(data_dir.join("catalog.db"))?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")?;
    let tx = connection.transaction()?;
    let top = |table: &str| {
        tx.query_row(&format!("SELECT COALESCE(MAX(id), 0) FROM {table}"), [], |row| row.get(0))
    };
    let (repositories, blobs, manifests): (i64, i64, i64) =
        (top("repository")?, top("blob")?, top("manifest")?);
    let layers = (1..=LAYERS)
        .map(|layer| blob(&tx, blobs + layer, &format!("layer {layer}")))
        .collect::<Result<Vec<_>>>()?;
    let mut log = Log::of(&tx)?;
    for image in 0..images {
        let repository = repositories + image / IMAGES + 1;
        if image % IMAGES == 0 {
            put(&tx, "INSERT INTO repository VALUES (?, ?, ?)", params![repository, name(image), NOW])?;
            for layer in 1..=LAYERS {
                put(&tx, "INSERT INTO link VALUES (?, ?, NULL)", params![repository, blobs + layer])?;
            }
        }
        let (id, config) = (manifests + image + 1, blobs + LAYERS + image + 1);
        let described = blob(&tx, config, &format!("{{\"made\":\"up\",\"number\":{config}}}"))?;
        put(&tx, "INSERT INTO link VALUES (?, ?, NULL)", params![repository, config])?;
        let content =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers})
                .to_string();
        let (digest, tag) = (digest_of(content.as_bytes()), format!("t{:07}", image % IMAGES));
        put(
            &tx,
            "INSERT INTO manifest VALUES (?, ?, ?, ?, NULL, NULL, 1, ?, NULL, NULL, ?)",
            params![id, repository, digest, MANIFEST, NOW, content.as_bytes()],
        )?;
        for blob in (1..=LAYERS).map(|layer| blobs + layer).chain([config]) {
            put(&tx, "INSERT INTO manifest_blob VALUES (?, ?, ?)", params![repository, blob, id])?;
        }
        put(&tx, "INSERT INTO tag VALUES (?, ?, ?, ?)", params![repository, tag, id, NOW])?;
        log.append(&tx, &name(image), &tag, &digest)?;
    }
    tx.commit()?;
    Ok(())
}

/// Name of an image's repository.
pub(super) fn name(image: i64) -> String {
    format!("made/up-{}", image / IMAGES)
}

fn put(tx: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Result<()> {
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Writes a blob that lies in its row; hands back its descriptor.
fn blob(tx: &Transaction<'_>, id: i64, content: &str) -> Result<serde_json::Value> {
    let digest = digest_of(content.as_bytes());
    put(
        tx,
        "INSERT INTO blob VALUES (?, ?, ?, NULL, ?, NULL, NULL, ?)",
        params![id, digest, i64::try_from(content.len())?, NOW, content.as_bytes()],
    )?;
    Ok(json!({"mediaType": "application/vnd.example.blob", "digest": digest, "size": content.len()}))
}

/// The end of the sealed log.
struct Log {
    position: i64,
    hash: Vec<u8>,
}

impl Log {
    fn of(tx: &Transaction<'_>) -> Result<Self> {
        let last = "SELECT position, hash FROM event ORDER BY position DESC LIMIT 1";
        let found = tx.query_row(last, [], |row| Ok(Self { position: row.get(0)?, hash: row.get(1)? }));
        match found {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Self { position: 0, hash: vec![0; 32] }),
            found => Ok(found?),
        }
    }

    fn append(&mut self, tx: &Transaction<'_>, repository: &str, tag: &str, digest: &str) -> Result<()> {
        self.position += 1;
        let id = format!("{:032x}", self.position);
        let mut hasher = Sha256::new();
        hasher.update(&self.hash);
        hasher.update(self.position.to_be_bytes());
        hasher.update(NOW.to_be_bytes());
        for field in [&id, "manifest.pushed", repository, tag, digest, "anonymous", "{}"] {
            hasher.update([1]);
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        self.hash = hasher.finalize().to_vec();
        put(
            tx,
            "INSERT INTO event VALUES (?, ?, ?, 'manifest.pushed', ?, ?, ?, 'anonymous', '{}', ?)",
            params![self.position, id, NOW, repository, tag, digest, self.hash],
        )
    }
}
