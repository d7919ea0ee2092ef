//! Nodes that share a catalog and a bucket: two registries, each with its own view of who writes what.

use std::sync::Arc;

use berth_access::{Access, Anonymous, Caller, Permit, Right};
use berth_blobs::testing::{Failure, Fault, Faults, Faulty, Operation};
use berth_blobs::{Blobs, Bucket, BucketConfig, Credentials};
use berth_catalog::job::{Job, JobId, State};
use berth_catalog::{Catalog, Clock, upload};
use berth_engines::Rgw;
use berth_jobs::{Handler, Work};
use berth_oci::Digest;
use berth_registry::{
    BlobContent, CollectJob, Config, Error, Registry, Result, ScrubJob, ScrubReport, Upload,
};
use futures_util::future::join;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::fixture::{body, broken, name, sha256};

/// Bytes of a blob that comes in parts.
const LARGE: usize = 7_000_000;

struct Cluster {
    nodes: [Registry; 2],
    faults: [Faults; 2],
    bucket: Bucket,
    clock: Clock,
    access: Access,
    config: Config,
    _dir: TempDir,
}

impl Cluster {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let catalog = Catalog::open(&dir.path().join("catalog.db"), clock.clone()).unwrap();
        let config = Config::default();
        let store = store();
        let faults = [Faults::default(), Faults::default()];
        let nodes = [0, 1].map(|node: usize| {
            let bucket = Arc::new(Bucket::open(&store).unwrap());
            let blobs = Arc::new(Faulty::new(bucket, faults[node].clone()));
            Registry::new(catalog.clone(), blobs, config.clone())
        });
        let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
        let access = Access::new(&access, nodes[0].read_only()).unwrap();
        Self { nodes, faults, bucket: Bucket::open(&store).unwrap(), clock, access, config, _dir: dir }
    }

    fn may<A: Right>(&self) -> Permit<A> {
        self.access.permit(&Caller::anonymous(), &name("app")).unwrap()
    }

    async fn start(&self) -> Upload {
        self.nodes[0].start_upload(&self.may(), None).await.unwrap()
    }

    async fn finish(&self, node: usize, upload: &Upload, rest: &[u8], digest: &Digest) -> Result<()> {
        self.nodes[node].finish_upload(&self.may(), &upload.id, None, body(rest), digest).await
    }

    async fn pull(&self, node: usize, digest: &Digest) -> Result<Vec<u8>> {
        let handle = self.nodes[node].pull_blob(&self.may(), digest).await?.content;
        let content = match handle.content {
            BlobContent::Inline(content) => content,
            BlobContent::Stored(reader) => reader.read(0, usize::try_from(handle.size).unwrap()).await?,
        };
        assert_eq!(sha256(&content), *digest, "bytes served are not those asked for");
        Ok(content.to_vec())
    }

    /// Counts objects of blobs.
    async fn objects(&self) -> usize {
        self.bucket.scan(None, usize::MAX).await.unwrap().len()
    }

    /// Lets every session expire.
    async fn expire(&self) {
        self.clock.advance(std::time::Duration::from_secs(self.config.limits.upload_lifetime_seconds + 1));
        let (work, _seen) = Work::detached();
        let job = job(CollectJob::KIND, CollectJob::payload(None, false));
        CollectJob::new(self.nodes[1].clone()).run(&job, &work).await.unwrap();
    }

    async fn scrub(&self, node: usize) -> ScrubReport {
        let (work, _seen) = Work::detached();
        let job = job(ScrubJob::KIND, ScrubJob::payload(Some(0)));
        let report = ScrubJob::new(self.nodes[node].clone()).run(&job, &work).await.unwrap();
        serde_json::from_value(report).unwrap()
    }
}

fn store() -> BucketConfig {
    let rgw = Rgw::shared();
    BucketConfig {
        endpoint: Some(rgw.endpoint()),
        credentials: Some(Credentials {
            access_key_id: rgw.access_key().to_owned(),
            secret_access_key: rgw.secret_key().to_owned(),
        }),
        part_bytes: BucketConfig::MIN_PART_BYTES,
        ..BucketConfig::new(&format!("s3://{}", rgw.bucket())).unwrap()
    }
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

fn bytes(seed: u8, len: usize) -> Vec<u8> {
    (0..u32::try_from(len).unwrap()).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

#[tokio::test]
async fn what_one_node_takes_another_serves() {
    let nodes = Cluster::new();
    for (seed, len) in [(1, 100), (2, 100_000), (3, LARGE)] {
        let content = bytes(seed, len);
        let digest = sha256(&content);
        nodes.nodes[0].push_blob(&nodes.may(), body(&content), &digest).await.unwrap();
        assert_eq!(nodes.pull(1, &digest).await.unwrap(), content);
    }
    assert_eq!(nodes.objects().await, 2);
    assert_eq!(nodes.scrub(1).await.orphans, 0);
    let sessions = nodes.nodes[1].catalog().read(async |r| upload::count(r).await).await.unwrap();
    assert_eq!(sessions, 0, "those of the node's own making ended too");
}

#[tokio::test]
async fn a_session_goes_on_at_another_node_behind_what_was_acknowledged() {
    let nodes = Cluster::new();
    let content = bytes(4, 2 * LARGE);
    let digest = sha256(&content);
    let upload = nodes.start().await;
    let cut = broken(&content[..LARGE]);
    let failed = nodes.nodes[0].append_upload(&nodes.may(), &upload.id, None, cut).await;
    assert!(matches!(failed, Err(Error::Body(_))), "{failed:?}");
    let status = nodes.nodes[1].upload_status(&nodes.may(), &upload.id).await.unwrap();
    assert_eq!(status.offset, LARGE as u64, "what came is acknowledged");
    // A last request that breaks off is acknowledged too.
    let cut = broken(&content[LARGE..LARGE + 300_000]);
    let failed = nodes.nodes[1].finish_upload(&nodes.may(), &upload.id, None, cut, &digest).await;
    assert!(matches!(failed, Err(Error::Body(_))), "{failed:?}");
    let status = nodes.nodes[0].upload_status(&nodes.may(), &upload.id).await.unwrap();
    assert_eq!(status.offset, LARGE as u64 + 300_000);
    nodes.finish(0, &upload, &content[LARGE + 300_000..], &digest).await.unwrap();
    assert_eq!(nodes.pull(1, &digest).await.unwrap(), content);
}

#[tokio::test]
async fn of_two_nodes_that_end_one_session_no_answer_is_a_lie() {
    let nodes = Cluster::new();
    for round in 0..10 {
        // Small ones meet at one key, large ones at their parts.
        let (first, len) = if round % 2 == 0 { (0, 200_000) } else { (LARGE, LARGE + 200_000) };
        let one = bytes(10 + round, len);
        let mut two = one.clone();
        if round >= 2 {
            *two.last_mut().unwrap() ^= 1;
        }
        let digests = [sha256(&one), sha256(&two)];
        let upload = nodes.start().await;
        if first > 0 {
            nodes.nodes[0].append_upload(&nodes.may(), &upload.id, None, body(&one[..first])).await.unwrap();
        }
        let (a, b) = join(
            nodes.finish(0, &upload, &one[first..], &digests[0]),
            nodes.finish(1, &upload, &two[first..], &digests[1]),
        )
        .await;
        assert!(a.is_ok() || b.is_ok(), "round {round}: {a:?} {b:?}");
        let before = nodes.objects().await;
        for (result, digest) in [(a, digests[0]), (b, digests[1])] {
            match result {
                Ok(()) => {
                    let pulled = nodes.pull(0, &digest).await;
                    assert!(pulled.is_ok(), "round {round}: {pulled:?}");
                }
                // The gateway answers so while the other's parts are being joined.
                Err(Error::UploadUnknown(_) | Error::UploadBusy(_) | Error::Unavailable(_)) => {}
                Err(error) => panic!("round {round}: {error:?}"),
            }
        }
        let report = nodes.scrub(0).await;
        assert_eq!((report.damaged, report.unreadable), (0, 0), "round {round}, of {before} objects");
    }
}

#[tokio::test]
async fn what_a_dead_node_published_goes_with_its_session() {
    let nodes = Cluster::new();
    for len in [100_000, LARGE] {
        let content = bytes(20, len);
        // Published, and then nothing more is heard of it.
        nodes.faults[0].plan(Fault::new(Operation::Publish, Failure::Hangs).late());
        let (node, permit, digest) = (nodes.nodes[0].clone(), nodes.may(), sha256(&content));
        let stream = body(&content);
        let push = tokio::spawn(async move { node.push_blob(&permit, stream, &digest).await });
        while nodes.objects().await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(nodes.scrub(1).await.orphans, 0, "it may still be committed");
        assert_eq!(nodes.objects().await, 1);
        nodes.expire().await;
        assert_eq!(nodes.objects().await, 0);
        push.abort();
    }
}

#[tokio::test]
async fn pushes_that_fail_leave_nothing() {
    let nodes = Cluster::new();
    for len in [100_000, LARGE] {
        let content = bytes(21, len);
        let wrong = nodes.nodes[0].push_blob(&nodes.may(), body(&content), &sha256(b"else")).await;
        assert!(matches!(wrong, Err(Error::DigestMismatch { .. })), "{wrong:?}");
        for step in [Operation::Write, Operation::Finish, Operation::Publish] {
            nodes.faults[0].plan(Fault::new(step, Failure::Broken).late());
            let failed = nodes.nodes[0].push_blob(&nodes.may(), body(&content), &sha256(&content)).await;
            assert!(matches!(failed, Err(Error::Internal(_))), "{step:?}: {failed:?}");
            assert_eq!(nodes.objects().await, 0, "{step:?}");
        }
        nodes.faults[0].fail(Operation::Publish, Failure::Unavailable);
        let failed = nodes.nodes[0].push_blob(&nodes.may(), body(&content), &sha256(&content)).await;
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    }
    nodes.expire().await;
    assert_eq!(nodes.objects().await, 0);
}

#[tokio::test]
async fn a_push_of_bytes_that_are_known_asks_for_no_byte_of_them() {
    let nodes = Cluster::new();
    let content = bytes(30, LARGE);
    let digest = sha256(&content);
    nodes.nodes[0].push_blob(&nodes.may(), body(&content), &digest).await.unwrap();
    nodes.faults[1].plan(Fault::new(Operation::Open, Failure::Broken).times(u64::MAX));
    nodes.nodes[1].push_blob(&nodes.may(), body(&content), &digest).await.unwrap();
    assert_eq!(nodes.objects().await, 1);
    // One that has lost its bytes comes anew.
    let (lost, _) = nodes.bucket.scan(None, 1).await.unwrap().remove(0);
    nodes.bucket.delete(&lost).await.unwrap();
    nodes.nodes[0].push_blob(&nodes.may(), body(&content), &digest).await.unwrap();
    assert_eq!(nodes.pull(0, &digest).await.unwrap(), content);
}

#[tokio::test]
async fn a_scrub_removes_what_uploads_left_that_are_no_more() {
    let nodes = Cluster::new();
    let content = bytes(31, LARGE);
    let digest = sha256(&content);
    // Committed, and never tidied up.
    nodes.faults[0].plan(Fault::new(Operation::Discard, Failure::Broken));
    nodes.nodes[0].push_blob(&nodes.may(), body(&content), &digest).await.unwrap();
    // Its row went, and nothing else: what a crash leaves of an upload that expires.
    let gone = nodes.start().await;
    nodes.nodes[0].append_upload(&nodes.may(), &gone.id, None, body(&content)).await.unwrap();
    nodes.faults[0].plan(Fault::new(Operation::Leftovers, Failure::Broken));
    nodes.nodes[0].cancel_upload(&nodes.may(), &gone.id).await.unwrap_err();
    // One that goes on.
    let open = nodes.start().await;
    nodes.nodes[0].append_upload(&nodes.may(), &open.id, None, body(&content)).await.unwrap();
    assert_eq!(nodes.bucket.scan_uploads(None, 10).await.unwrap().len(), 3);

    // The nodes' clock is behind the gateway's: nothing is old enough.
    assert_eq!(nodes.scrub(1).await.leftovers, 0);
    nodes.clock.advance(std::time::Duration::from_hours(20 * 365 * 24));
    let report = nodes.scrub(1).await;
    assert_eq!((report.leftovers, report.orphans), (2, 0));
    let left = nodes.bucket.scan_uploads(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|(upload, _)| *upload).collect::<Vec<_>>(), [open.id]);
    assert_eq!(nodes.pull(1, &digest).await.unwrap(), content);
    let mut longer = content.clone();
    longer.extend_from_slice(b"the end");
    let longer_digest = sha256(&longer);
    nodes.finish(1, &open, b"the end", &longer_digest).await.unwrap();
    assert_eq!(nodes.pull(0, &longer_digest).await.unwrap(), longer);
    assert_eq!(nodes.scrub(0).await.leftovers, 0);
}
