//! A registry in a directory, and the images it is fed.

use std::path::PathBuf;
use std::sync::Arc;

use berth_access::{Access, Anonymous, Caller, Permit, ReadOnly, Right};
use berth_blobs::testing::{Faults, Faulty};
use berth_blobs::{Blobs, Disk, Progress, UploadId};
use berth_catalog::job::{Job, JobId, State};
use berth_catalog::{Catalog, Clock, PostgresConfig, event};
use berth_engines::Postgres;
use berth_jobs::{Failure, Handler, Work};
use berth_oci::{Algorithm, Digest, Reference, RepositoryName};
use berth_registry::{
    BlobContent, BodyError, BodyResult, CollectJob, CollectReport, Config, Registry, Result, ScrubJob,
    ScrubReport,
};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// A registry, its faults and its clock.
pub(crate) struct Fixture {
    pub(crate) registry: Registry,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    pub(crate) access: Access,
    pub(crate) dir: Arc<TempDir>,
    config: Config,
    /// Of the catalog's database; without one the catalog is a file in the directory.
    url: Option<String>,
}

impl Fixture {
    pub(crate) async fn new(on: On) -> Self {
        Self::with(on, |_| ()).await
    }

    pub(crate) async fn with(on: On, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let dir = Arc::new(TempDir::new().unwrap());
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let url = (on == On::Postgres).then(|| Postgres::shared().database());
        Self::open(dir, clock, config, url).await
    }

    async fn open(dir: Arc<TempDir>, clock: Clock, config: Config, url: Option<String>) -> Self {
        let catalog = match &url {
            None => Catalog::open(&dir.path().join("catalog.db"), clock.clone()),
            Some(url) => {
                let patience = std::time::Duration::from_mins(1);
                let config = PostgresConfig { pool: 8, patience, ..PostgresConfig::new(url) };
                Catalog::connect(&config, clock.clone()).await
            }
        };
        let disk: Arc<dyn Blobs> = Arc::new(Disk::open(&dir.path().join("store"), Disk::OPEN_FILES).unwrap());
        let faults = Faults::default();
        let blobs = Arc::new(Faulty::new(disk, faults.clone()));
        let registry = Registry::new(catalog.unwrap(), blobs, config.clone());
        registry.repair().await.unwrap();
        let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
        // Its permits outlive the switch.
        let access = Access::new(&access, &ReadOnly::default()).unwrap();
        Self { registry, faults, clock, access, dir, config, url }
    }

    /// Ends this process's view without an orderly stop of anything, and opens the directory again.
    pub(crate) async fn restart(self) -> Self {
        let Self { registry, clock, dir, config, url, .. } = self;
        drop(registry);
        Self::open(dir, clock, config, url).await
    }

    /// Starts another node on the same database and the same store.
    pub(crate) async fn beside(&self) -> Self {
        assert!(self.url.is_some(), "a file has one owner");
        Self::open(Arc::clone(&self.dir), self.clock.clone(), self.config.clone(), self.url.clone()).await
    }

    /// Returns the nodes that share the catalog: two where it can be shared.
    pub(crate) async fn nodes(on: On) -> Vec<Arc<Self>> {
        let mut nodes = vec![Arc::new(Self::new(on).await)];
        if on == On::Postgres {
            nodes.push(Arc::new(nodes[0].beside().await));
        }
        nodes
    }

    /// Address of the catalog's database.
    pub(crate) fn url(&self) -> &str {
        self.url.as_deref().expect("a catalog in a file has no address")
    }

    /// Opens the store once more.
    pub(crate) fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(Disk::open(&self.dir.path().join("store"), Disk::OPEN_FILES).unwrap())
    }

    pub(crate) fn may<A: Right>(&self, repository: &str) -> Permit<A> {
        self.access.permit(&Caller::anonymous(), &name(repository)).unwrap()
    }

    /// Moves the clock past every delay of the collector.
    pub(crate) fn wait_out_the_delay(&self) {
        self.clock.advance(std::time::Duration::from_secs(self.config.gc.delay_seconds + 1));
    }

    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = sha256(content);
        self.registry.push_blob(&self.may(repository), body(content), &digest).await.unwrap();
        digest
    }

    /// Pushes an image of a config and layers; returns its digest.
    pub(crate) async fn push_image(&self, repository: &str, reference: &str, layers: &[&[u8]]) -> Digest {
        let config = self.push_blob(repository, b"{}").await;
        let mut digests = Vec::new();
        for layer in layers {
            digests.push((self.push_blob(repository, layer).await, layer.len()));
        }
        let manifest = image(&config, &digests);
        self.push_manifest(repository, reference, IMAGE, &manifest).await.unwrap()
    }

    pub(crate) async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        content: &str,
    ) -> Result<Digest> {
        let reference =
            if reference.is_empty() { sha256(content.as_bytes()).into() } else { refer(reference) };
        let content = Bytes::from(content.to_owned());
        let pushed = self
            .registry
            .push_manifest(&self.may(repository), &reference, &[], Some(media_type), content)
            .await?;
        Ok(pushed.digest)
    }

    pub(crate) async fn pull_manifest(&self, repository: &str, reference: &str) -> Result<Digest> {
        let pulled = self.registry.pull_manifest(&self.may(repository), &refer(reference)).await?.content;
        assert_eq!(Digest::of(pulled.digest.algorithm(), &pulled.content), pulled.digest);
        Ok(pulled.digest)
    }

    pub(crate) async fn pull_blob(&self, repository: &str, digest: &Digest) -> Result<Bytes> {
        let handle = self.registry.pull_blob(&self.may(repository), digest).await?.content;
        let content = match handle.content {
            BlobContent::Inline(content) => content,
            BlobContent::Stored(reader) => reader.read(0, usize::try_from(handle.size).unwrap()).await?,
        };
        assert_eq!(Digest::of(digest.algorithm(), &content), *digest, "bytes served are not those asked for");
        Ok(content)
    }

    pub(crate) async fn collect(&self, delay_seconds: Option<u64>, dry_run: bool) -> CollectReport {
        self.try_collect(delay_seconds, dry_run).await.unwrap()
    }

    pub(crate) async fn try_collect(
        &self,
        delay_seconds: Option<u64>,
        dry_run: bool,
    ) -> Result<CollectReport, Failure> {
        let job = job(CollectJob::KIND, CollectJob::payload(delay_seconds, dry_run));
        let (work, _seen) = Work::detached();
        let report = CollectJob::new(self.registry.clone()).run(&job, &work).await?;
        Ok(serde_json::from_value(report).unwrap())
    }

    /// Leaves what a process leaves that ends between a publication and its commit.
    pub(crate) async fn publish_without_commit(&self, content: &[u8]) -> UploadId {
        let disk = Disk::open(&self.dir.path().join("store"), 1).unwrap();
        let upload = UploadId::random();
        let mut writer = disk.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
        writer.write(Bytes::copy_from_slice(content)).await.unwrap();
        let digest = writer.finish().await.unwrap().hasher.finish();
        disk.publish(&upload, &digest).await.unwrap();
        upload
    }

    pub(crate) async fn scrub(&self) -> ScrubReport {
        let (work, _seen) = Work::detached();
        let job = job(ScrubJob::KIND, ScrubJob::payload(Some(0)));
        serde_json::from_value(ScrubJob::new(self.registry.clone()).run(&job, &work).await.unwrap()).unwrap()
    }

    /// Lists the files of the blob store: published blobs, and what uploads left.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().join("store")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found
    }

    pub(crate) async fn events(&self) -> Vec<String> {
        let catalog = self.registry.catalog();
        while catalog.read(async |r| event::count_unsealed(r).await).await.unwrap() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let events = self.registry.catalog().read(async |r| event::list(r, 0, 10_000).await).await.unwrap();
        events
            .iter()
            .map(|event| match &event.tag {
                Some(tag) => format!("{} {}:{tag}", event.kind, event.repository),
                None => format!("{} {}", event.kind, event.repository),
            })
            .collect()
    }
}

/// Runs a test whose disk [`begin`] can hold.
pub(crate) fn on_one_pool_thread(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(test);
}

/// Runs something as far as it goes without the disk: what it needs of the catalog until then it has read.
pub(crate) async fn begin<W: Future + Unpin>(work: &mut W) {
    let (held, holds) = std::sync::mpsc::channel::<()>();
    let holding = tokio::task::spawn_blocking(move || holds.recv().is_err());
    tokio::select! {
        biased;
        _ = work => panic!("it did not wait for the disk"),
        () = std::future::ready(()) => drop(held),
    }
    holding.await.unwrap();
}

fn job(kind: &str, payload: String) -> Job {
    Job {
        id: JobId(1),
        kind: kind.into(),
        slot: None,
        payload,
        state: State::Running,
        attempts: 1,
        run_at: Timestamp::UNIX_EPOCH,
        progress: None,
        error: None,
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn refer(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Bytes that are different for every seed and do not fit into a catalog row.
pub(crate) fn large(seed: u8) -> Vec<u8> {
    (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

/// A request body in chunks of 10,000 bytes.
pub(crate) fn body(content: &[u8]) -> impl futures_util::Stream<Item = BodyResult> + Send + Unpin + 'static {
    let chunks: Vec<BodyResult> =
        content.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

/// A request body that ends before its time.
pub(crate) fn broken(
    content: &[u8],
) -> impl futures_util::Stream<Item = BodyResult> + Send + Unpin + 'static {
    stream::iter(vec![Ok(Bytes::copy_from_slice(content)), Err(BodyError("connection reset".into()))])
}

pub(crate) fn image(config: &Digest, layers: &[(Digest, usize)]) -> String {
    let layers: Vec<_> = layers
        .iter()
        .map(|(digest, size)| {
            serde_json::json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size})
        })
        .collect();
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": layers,
    })
    .to_string()
}

pub(crate) fn index(children: &[Digest]) -> String {
    let manifests: Vec<_> = children
        .iter()
        .map(|digest| serde_json::json!({"mediaType": IMAGE, "digest": digest, "size": 1}))
        .collect();
    serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string()
}
