use berth_access::{Access, Action, Anonymous, Caller};
use berth_blobs::Disk;
use berth_blobs::testing::{Failure, Fault, Faults, Faulty, Operation};
use berth_catalog::{Clock, manifest};
use berth_oci::Algorithm;
use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{BodyResult, Error, Readiness};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

struct Fixture {
    registry: Registry,
    faults: Faults,
    access: Access,
    _dir: TempDir,
}

impl Fixture {
    fn new(serve_stale_seconds: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let catalog = Catalog::open(&dir.path().join("catalog.db"), Clock::system()).unwrap();
        let faults = Faults::default();
        let disk = Disk::open(&dir.path().join("store"), 16).unwrap();
        let blobs = Arc::new(Faulty::new(Arc::new(disk), faults.clone()));
        let mut config = crate::Config::default();
        config.storage.serve_stale_seconds = serve_stale_seconds;
        let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
        let registry = Registry::new(catalog, blobs, config);
        Self { registry, faults, access: Access::new(&access).unwrap(), _dir: dir }
    }

    fn may<A: Action>(&self) -> Permit<A> {
        self.access.permit(&Caller::Anonymous, &"app".parse().unwrap()).unwrap()
    }

    async fn push_blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let body = futures_util::stream::iter([BodyResult::Ok(Bytes::copy_from_slice(content))]);
        self.registry.push_blob(&self.may(), body, &digest).await.unwrap();
        digest
    }

    async fn push_image(&self) -> Digest {
        let config = self.push_blob(b"{}").await;
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [],
        });
        let content = Bytes::from(manifest.to_string());
        let pushed = self.registry.push_manifest(&self.may(), &refer("1"), &[], Some(IMAGE), content).await;
        pushed.unwrap().digest
    }

    async fn pull(&self, reference: &Reference) -> Result<Digest> {
        self.registry.pull_manifest(&self.may(), reference).await.map(|manifest| manifest.digest)
    }

    fn recall(&self, reference: &Reference) -> Option<Digest> {
        self.registry.recall_manifest(&self.may(), reference).map(|stale| stale.content.digest)
    }
}

fn refer(text: &str) -> Reference {
    text.parse().unwrap()
}

fn is_unavailable<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::Unavailable(_)))
}

#[tokio::test]
async fn what_was_pulled_is_recalled_and_nothing_else() {
    let fixture = Fixture::new(60);
    let digest = fixture.push_image().await;
    let (small, large) = (fixture.push_blob(b"small").await, fixture.push_blob(&vec![1; 100_000]).await);
    for reference in [refer("1"), digest.into()] {
        fixture.pull(&reference).await.unwrap();
    }
    for blob in [&small, &large] {
        fixture.registry.pull_blob(&fixture.may(), blob).await.unwrap();
    }
    fixture.registry.suppose_catalog_lost(true);
    let unknown = fixture.pull(&refer("other")).await;
    assert!(is_unavailable(&unknown), "{unknown:?}");
    assert_eq!(fixture.recall(&refer("1")), Some(digest));
    assert_eq!(fixture.recall(&digest.into()), Some(digest));
    assert_eq!(fixture.recall(&refer("other")), None);
    for (blob, size) in [(&small, 5), (&large, 100_000)] {
        let stale = fixture.registry.recall_blob(&fixture.may(), blob).await.unwrap();
        assert_eq!(stale.content.size, size);
        assert!(stale.age < Duration::from_mins(1));
    }
    assert_eq!(fixture.registry.check_ready().await, Ok(Readiness::Recalling));
    fixture.registry.suppose_catalog_lost(false);
    assert_eq!(fixture.registry.check_ready().await, Ok(Readiness::Whole));
    assert_eq!(fixture.registry.0.outage.age(), None);
}

#[tokio::test]
async fn what_was_withdrawn_or_changed_here_is_not_recalled() {
    let fixture = Fixture::new(60);
    let digest = fixture.push_image().await;
    fixture.pull(&digest.into()).await.unwrap();
    fixture.registry.delete_manifest(&fixture.may(), &digest).await.unwrap();
    assert_eq!(fixture.recall(&digest.into()), None);
    let again = fixture.push_image().await;
    fixture.pull(&again.into()).await.unwrap();
    assert_eq!(fixture.recall(&again.into()), Some(again));
}

#[tokio::test]
async fn only_for_so_long() {
    let fixture = Fixture::new(1);
    let digest = fixture.push_image().await;
    for reference in [refer("1"), digest.into()] {
        fixture.pull(&reference).await.unwrap();
    }
    fixture.registry.suppose_catalog_lost(true);
    assert!(is_unavailable(&fixture.pull(&refer("other")).await));
    assert!(fixture.recall(&refer("1")).is_some());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(fixture.recall(&refer("1")).is_none() && fixture.recall(&digest.into()).is_none());
    assert!(fixture.registry.check_ready().await.is_err());
}

#[tokio::test]
async fn off_means_off() {
    let fixture = Fixture::new(0);
    let digest = fixture.push_image().await;
    fixture.pull(&digest.into()).await.unwrap();
    assert_eq!(fixture.recall(&digest.into()), None);
    fixture.registry.suppose_catalog_lost(true);
    assert!(fixture.registry.check_ready().await.is_err());
}

#[tokio::test]
async fn one_pull_a_second_asks_while_it_is_out_of_reach() {
    let fixture = Fixture::new(60);
    let digest = fixture.push_image().await;
    let repository = fixture.may::<Pull>().repository().clone();
    fixture.registry.0.outage.noticed();
    let mut asked = 0;
    for _ in 0..5 {
        let (repository, asked) = (&repository, &mut asked);
        let asking = fixture.registry.0.catalog.read(async |r| {
            *asked += 1;
            manifest::find(r, repository, &digest.into()).await
        });
        assert!(is_unavailable(&fixture.registry.ask(true, asking).await));
    }
    assert_eq!(asked, 0);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    let asking =
        fixture.registry.0.catalog.read(async |r| manifest::find(r, &repository, &digest.into()).await);
    assert!(fixture.registry.ask(true, asking).await.unwrap().is_some());
    assert_eq!(fixture.registry.0.outage.age(), None, "and finds that it is over");
}

#[tokio::test]
async fn without_the_store_manifests_and_small_blobs_are_served() {
    let fixture = Fixture::new(0);
    let digest = fixture.push_image().await;
    let (small, large) = (fixture.push_blob(b"small").await, fixture.push_blob(&vec![1; 100_000]).await);
    for operation in [Operation::Open, Operation::Writer, Operation::Publish] {
        fixture.faults.plan(Fault::new(operation, Failure::Broken).times(u64::MAX));
    }
    for reference in [refer("1"), digest.into()] {
        assert_eq!(fixture.pull(&reference).await.unwrap(), digest);
    }
    fixture.registry.pull_blob(&fixture.may(), &small).await.unwrap();
    fixture.registry.stat_blob(&fixture.may(), &large).await.unwrap();
    assert!(fixture.registry.pull_blob(&fixture.may(), &large).await.is_err());
    let damaged = fixture.registry.0.catalog.read(async |r| berth_catalog::blob::totals(r).await).await;
    assert_eq!(damaged.unwrap().damaged, 0, "a store that is down says nothing about its blobs");
    fixture.faults.clear();
    fixture.registry.pull_blob(&fixture.may(), &large).await.unwrap();
}
