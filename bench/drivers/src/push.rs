//! A push of a small manifest under a tag that exists: the statements that `registry::push_manifest` comes to, in its order.

use tokio::sync::oneshot;

use crate::driver::{Driver, Param, Result};
use crate::event::Event;
use crate::made_up;

/// Bytes of a manifest with a configuration and three layers.
const MANIFEST_BYTES: usize = 900;
const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A manifest to push.
#[derive(Debug)]
pub(crate) struct Push {
    repository: String,
    tag: String,
    blobs: Vec<String>,
    digest: String,
    content: Vec<u8>,
    /// Microseconds since the epoch.
    now: i64,
    serial: u64,
}

/// A push on its way to a writer.
#[derive(Debug)]
pub(crate) struct Unit {
    /// What to push.
    pub(crate) push: Push,
    /// Told after the commit; dropped if there was none.
    done: oneshot::Sender<()>,
}

impl Unit {
    /// Says that the push is durable; who does not listen any more needs no answer.
    pub(crate) fn tell(self) {
        let _ = self.done.send(());
    }
}

impl Push {
    /// Makes up a manifest that was never pushed before, for the tag whose turn it is.
    pub(crate) fn new(serial: u64) -> Self {
        Self {
            repository: made_up::repository(serial),
            tag: made_up::tag(serial),
            blobs: made_up::blobs(serial).collect(),
            digest: made_up::digest(serial),
            content: vec![b'x'; MANIFEST_BYTES],
            now: made_up::micros(serial),
            serial,
        }
    }

    /// Makes this a unit, and gives the ear that hears of its commit.
    pub(crate) fn into_unit(self) -> (Unit, oneshot::Receiver<()>) {
        let (done, ear) = oneshot::channel();
        (Unit { push: self, done }, ear)
    }

    /// Runs the unit's statements; its events wait in `events` for [`seal`](crate::event::seal).
    pub(crate) async fn carry_out<D: Driver>(&self, driver: &mut D, events: &mut Vec<Event>) -> Result<()> {
        let repository = find_repository(driver, &self.repository).await?;
        let mut blobs = Vec::with_capacity(self.blobs.len());
        for digest in &self.blobs {
            blobs.push(find_blob(driver, repository, digest).await?);
        }
        let manifest = self.insert(driver, repository).await?;
        for blob in blobs {
            keep(driver, repository, blob, manifest).await?;
        }
        let size = self.content.len();
        let detail = format!(r#"{{"media_type":"{MEDIA_TYPE}","size":{size}}}"#);
        events.push(self.event("manifest_pushed", None, detail));
        let before = self.move_tag(driver, repository, manifest).await?;
        let detail = before.map_or(r#"{"previous":null}"#.into(), |it| format!(r#"{{"previous":"{it}"}}"#));
        events.push(self.event("tag_moved", Some(self.tag.clone()), detail));
        Ok(())
    }

    async fn insert<D: Driver>(&self, driver: &mut D, repository: i64) -> Result<i64> {
        let found = driver
            .find(
                "SELECT id FROM manifest WHERE repository_id = $1 AND digest = $2",
                &[Param::Int(repository), Param::Text(&self.digest)],
                |row| row.int(0),
            )
            .await?;
        if found.is_some() {
            return Err("a manifest was pushed twice".into());
        }
        driver
            .find(
                "INSERT INTO manifest (repository_id, digest, media_type, subject, artifact_type, depth, pushed_at,
                                       questioned_at, descriptor, content)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) RETURNING id",
                &[
                    Param::Int(repository),
                    Param::Text(&self.digest),
                    Param::Text(MEDIA_TYPE),
                    Param::Null,
                    Param::Null,
                    Param::Int(1),
                    Param::Int(self.now),
                    Param::Null,
                    Param::Bytes(&self.content),
                ],
                |row| row.int(0),
            )
            .await?
            .ok_or_else(|| "no manifest was inserted".into())
    }

    /// Points the tag at the manifest; the one it pointed at before waits for review. Returns that one's digest.
    async fn move_tag<D: Driver>(
        &self,
        driver: &mut D,
        repository: i64,
        target: i64,
    ) -> Result<Option<String>> {
        let before = driver
            .find(
                "SELECT m.id, m.digest FROM tag AS t JOIN manifest AS m ON m.id = t.manifest_id
                  WHERE t.repository_id = $1 AND t.name = $2",
                &[Param::Int(repository), Param::Text(&self.tag)],
                |row| Ok((row.int(0)?, row.text(1)?.to_owned())),
            )
            .await?;
        driver
            .run(
                "INSERT INTO tag (repository_id, name, manifest_id, moved_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (repository_id, name) DO UPDATE SET manifest_id = excluded.manifest_id, moved_at = excluded.moved_at",
                &[Param::Int(repository), Param::Text(&self.tag), Param::Int(target), Param::Int(self.now)],
            )
            .await?;
        let Some((id, digest)) = before else { return Ok(None) };
        let question = "UPDATE manifest SET questioned_at = $1 WHERE id = $2";
        driver.run(question, &[Param::Int(self.now), Param::Int(id)]).await?;
        Ok(Some(digest))
    }

    fn event(&self, kind: &'static str, tag: Option<String>, detail: String) -> Event {
        let id = made_up::uuid(self.serial * 2 + u64::from(tag.is_some()));
        let (repository, digest) = (self.repository.clone(), self.digest.clone());
        Event { id, at: self.now, kind, repository, tag, digest, detail }
    }
}

async fn find_repository<D: Driver>(driver: &mut D, name: &str) -> Result<i64> {
    driver
        .find("SELECT id FROM repository WHERE name = $1", &[Param::Text(name)], |row| row.int(0))
        .await?
        .ok_or_else(|| "no such repository".into())
}

async fn find_blob<D: Driver>(driver: &mut D, repository: i64, digest: &str) -> Result<i64> {
    let found = driver
        .find(
            "SELECT b.id, b.size FROM blob AS b
               JOIN link AS l ON l.blob_id = b.id
              WHERE l.repository_id = $1 AND b.digest = $2 AND b.damaged_at IS NULL",
            &[Param::Int(repository), Param::Text(digest)],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )
        .await?;
    found.map(|(id, _)| id).ok_or_else(|| "no such blob".into())
}

/// Notes that the manifest needs the blob.
async fn keep<D: Driver>(driver: &mut D, repository: i64, blob: i64, manifest: i64) -> Result<()> {
    driver
        .run(
            "INSERT INTO manifest_blob (repository_id, blob_id, manifest_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            &[Param::Int(repository), Param::Int(blob), Param::Int(manifest)],
        )
        .await?;
    driver
        .run(
            "UPDATE link SET questioned_at = NULL
              WHERE repository_id = $1 AND blob_id = $2 AND questioned_at IS NOT NULL",
            &[Param::Int(repository), Param::Int(blob)],
        )
        .await
}
