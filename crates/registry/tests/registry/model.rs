//! The registry against a model of a page: any sequence of pushes, mounts, deletes, waits, collections, scrubs and restarts
//! must leave exactly what the model says readable, and exactly the files that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use berth_oci::Digest;
use berth_registry::{Error, Untagged};
use proptest::prelude::*;

use crate::fixture::{Fixture, IMAGE, On, image, large, sha256};

const REPOSITORIES: [&str; 2] = ["a", "b"];
/// Seconds; the collector's delay in these tests.
const DELAY: u64 = 100;

#[derive(Debug, Clone)]
enum Step {
    PushBlob(usize, usize),
    PushManifest(usize, usize, Option<usize>),
    Mount(usize, usize),
    StatBlob(usize, usize),
    DeleteTag(usize, usize),
    DeleteManifest(usize, usize),
    DeleteBlob(usize, usize),
    Wait(u64),
    Collect,
    Scrub,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (repository, blob, manifest, tag) = (0..2_usize, 0..4_usize, 0..4_usize, 0..2_usize);
    prop_oneof![
        4 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Step::PushBlob(r, b)),
        4 => (repository.clone(), manifest.clone(), prop::option::of(tag.clone()))
            .prop_map(|(r, m, t)| Step::PushManifest(r, m, t)),
        1 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Step::Mount(r, b)),
        1 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Step::StatBlob(r, b)),
        1 => (repository.clone(), tag).prop_map(|(r, t)| Step::DeleteTag(r, t)),
        1 => (repository.clone(), manifest).prop_map(|(r, m)| Step::DeleteManifest(r, m)),
        1 => (repository, blob).prop_map(|(r, b)| Step::DeleteBlob(r, b)),
        2 => (1..80_u64).prop_map(Step::Wait),
        2 => Just(Step::Collect),
        1 => Just(Step::Scrub),
        1 => Just(Step::Restart),
    ]
}

/// Blob 0 lies in its row, the others in files.
fn blob(number: usize) -> Vec<u8> {
    if number == 0 { b"{}".to_vec() } else { large(u8::try_from(number).unwrap()) }
}

fn blob_digest(number: usize) -> Digest {
    sha256(&blob(number))
}

/// Manifest m names blob 0 as its config and, as layers, the blobs whose bit is set in its number plus one.
fn layers(manifest: usize) -> Vec<usize> {
    (0..2)
        .filter(|bit| (manifest + 1) >> bit & 1 == 1)
        .map(|bit| bit + 1)
        .chain((manifest == 3).then_some(3))
        .collect()
}

fn manifest(number: usize) -> String {
    let layers: Vec<_> =
        layers(number).iter().map(|&layer| (blob_digest(layer), blob(layer).len())).collect();
    image(&blob_digest(0), &layers)
}

/// What one repository holds. A time is since when something waits for review.
#[derive(Debug, Default)]
struct Held {
    links: BTreeMap<usize, Option<u64>>,
    manifests: BTreeMap<usize, Option<u64>>,
    tags: BTreeMap<usize, usize>,
}

impl Held {
    fn names(&self, blob: usize) -> bool {
        self.manifests.keys().any(|&manifest| blob == 0 || layers(manifest).contains(&blob))
    }

    fn needs(manifest: usize) -> Vec<usize> {
        std::iter::once(0).chain(layers(manifest)).collect()
    }

    fn delete_manifest(&mut self, manifest: usize, now: u64) {
        self.manifests.remove(&manifest);
        for blob in Self::needs(manifest) {
            self.links.insert(blob, Some(now));
        }
    }

    fn collect(&mut self, policy: Untagged, now: u64) {
        let due = |since: &Option<u64>| since.is_some_and(|since| since + DELAY < now);
        if policy == Untagged::Delete {
            for manifest in 0..4 {
                if !self.manifests.get(&manifest).is_some_and(due) {
                    continue;
                }
                if self.tags.values().any(|&tagged| tagged == manifest) {
                    self.manifests.insert(manifest, None);
                } else {
                    self.delete_manifest(manifest, now);
                }
            }
        }
        for blob in 0..4 {
            if self.links.get(&blob).is_some_and(due) {
                if self.names(blob) {
                    self.links.insert(blob, None)
                } else {
                    self.links.remove(&blob)
                };
            }
        }
    }
}

struct Run {
    fixture: Fixture,
    model: [Held; 2],
    /// Blobs with a row: linked, or condemned since this time.
    condemned: BTreeMap<usize, u64>,
    policy: Untagged,
    now: u64,
}

impl Run {
    async fn new(on: On, policy: Untagged) -> Self {
        let fixture = Fixture::with(on, |config| {
            config.gc.delay_seconds = DELAY;
            config.gc.untagged = policy;
        })
        .await;
        Self { fixture, model: Default::default(), condemned: BTreeMap::new(), policy, now: 0 }
    }

    async fn take(mut self, step: &Step) -> Self {
        let now = self.now;
        match *step {
            Step::PushBlob(r, b) => {
                self.fixture.push_blob(REPOSITORIES[r], &blob(b)).await;
                self.link(r, b);
            }
            Step::PushManifest(r, m, tag) => self.push_manifest(r, m, tag).await,
            Step::Mount(r, b) => {
                let (from, to) = (REPOSITORIES[1 - r], REPOSITORIES[r]);
                let (target, source) = (self.fixture.may(to), self.fixture.may(from));
                let mounted =
                    self.fixture.registry.mount_blob(&target, &source, &blob_digest(b)).await.unwrap();
                assert_eq!(mounted, self.model[1 - r].links.contains_key(&b));
                if mounted {
                    self.link(r, b);
                }
            }
            Step::StatBlob(r, b) => {
                let permit = self.fixture.may(REPOSITORIES[r]);
                let found = self.fixture.registry.stat_blob(&permit, &blob_digest(b)).await;
                assert_eq!(found.is_ok(), self.model[r].links.contains_key(&b));
                if let Some(Some(since)) = self.model[r].links.get_mut(&b)
                    && *since + DELAY / 2 < now
                {
                    *since = now;
                }
            }
            Step::DeleteTag(r, t) => {
                let tag = format!("t{t}").parse().unwrap();
                let deleted =
                    self.fixture.registry.delete_tag(&self.fixture.may(REPOSITORIES[r]), &tag).await;
                let pointed = self.model[r].tags.remove(&t);
                assert_eq!(deleted.is_ok(), pointed.is_some());
                if let Some(manifest) = pointed {
                    self.model[r].manifests.insert(manifest, Some(now));
                }
            }
            Step::DeleteManifest(r, m) => {
                let digest = sha256(manifest(m).as_bytes());
                let permit = self.fixture.may(REPOSITORIES[r]);
                let deleted = self.fixture.registry.delete_manifest(&permit, &digest).await;
                assert_eq!(deleted.is_ok(), self.model[r].manifests.contains_key(&m));
                if deleted.is_ok() {
                    self.model[r].tags.retain(|_, tagged| *tagged != m);
                    self.model[r].delete_manifest(m, now);
                }
            }
            Step::DeleteBlob(r, b) => self.delete_blob(r, b).await,
            Step::Wait(seconds) => {
                self.fixture.clock.advance(Duration::from_secs(seconds));
                self.now += seconds;
            }
            Step::Collect => self.collect().await,
            Step::Scrub => {
                let report = self.fixture.scrub().await;
                assert_eq!((report.damaged, report.orphans), (0, 0));
            }
            Step::Restart => self.fixture = self.fixture.restart().await,
        }
        self
    }

    fn link(&mut self, repository: usize, blob: usize) {
        let since = self.model[repository].links.entry(blob).or_insert(Some(self.now));
        *since = since.map(|_| self.now);
        self.condemned.remove(&blob);
    }

    async fn push_manifest(&mut self, r: usize, m: usize, tag: Option<usize>) {
        let reference = tag.map_or_else(String::new, |tag| format!("t{tag}"));
        let pushed = self.fixture.push_manifest(REPOSITORIES[r], &reference, IMAGE, &manifest(m)).await;
        let held = &mut self.model[r];
        let complete = Held::needs(m).iter().all(|blob| held.links.contains_key(blob));
        match pushed {
            Ok(_) => assert!(complete, "a manifest was taken without its blobs"),
            Err(Error::ManifestBlobsUnknown { .. }) => {
                assert!(!complete, "a manifest was refused though its blobs are there");
                return;
            }
            Err(error) => panic!("{error}"),
        }
        let since = held.manifests.entry(m).or_insert(Some(self.now));
        *since = since.map(|_| self.now);
        for blob in Held::needs(m) {
            held.links.insert(blob, None);
        }
        if let Some(tag) = tag
            && let Some(before) = held.tags.insert(tag, m)
            && before != m
        {
            held.manifests.insert(before, Some(self.now));
        }
    }

    async fn delete_blob(&mut self, r: usize, b: usize) {
        let permit = self.fixture.may(REPOSITORIES[r]);
        let deleted = self.fixture.registry.delete_blob(&permit, &blob_digest(b)).await;
        let (linked, named) = (self.model[r].links.contains_key(&b), self.model[r].names(b));
        match deleted {
            Ok(()) => assert!(linked && !named),
            Err(Error::BlobInUse { .. }) => assert!(linked && named),
            Err(Error::BlobUnknown { .. }) => assert!(!linked),
            Err(error) => panic!("{error}"),
        }
        if linked && !named {
            self.model[r].links.remove(&b);
            self.condemn(b, self.now);
        }
    }

    fn condemn(&mut self, blob: usize, since: u64) {
        if self.model.iter().all(|held| !held.links.contains_key(&blob)) {
            self.condemned.entry(blob).or_insert(since);
        }
    }

    async fn collect(&mut self) {
        self.fixture.collect(None, false).await;
        for r in 0..2 {
            let before: BTreeMap<_, _> = self.model[r].links.clone();
            self.model[r].collect(self.policy, self.now);
            for (blob, since) in before {
                if !self.model[r].links.contains_key(&blob) {
                    self.condemn(blob, since.unwrap_or(self.now));
                }
            }
        }
        let now = self.now;
        self.condemned.retain(|_, since| *since + DELAY >= now);
    }

    /// Everything readable, and every file, is what the model says.
    async fn check(&self) {
        for (name, held) in REPOSITORIES.iter().zip(&self.model) {
            for number in 0..4 {
                let pulled = self.fixture.pull_blob(name, &blob_digest(number)).await;
                assert_eq!(
                    pulled.is_ok(),
                    held.links.contains_key(&number),
                    "blob {number} in {name}: {held:?}"
                );
                let digest = sha256(manifest(number).as_bytes());
                let pulled = self.fixture.pull_manifest(name, &digest.to_string()).await;
                assert_eq!(
                    pulled.is_ok(),
                    held.manifests.contains_key(&number),
                    "manifest {number} in {name}"
                );
            }
            for tag in 0..2 {
                let pulled = self.fixture.pull_manifest(name, &format!("t{tag}")).await.ok();
                let expected = held.tags.get(&tag).map(|&number| sha256(manifest(number).as_bytes()));
                assert_eq!(pulled, expected, "tag {tag} in {name}");
            }
        }
        let linked = self.model.iter().flat_map(|held| held.links.keys());
        let rows: BTreeSet<usize> = linked.chain(self.condemned.keys()).copied().collect();
        assert_eq!(
            self.fixture.files().len(),
            rows.iter().filter(|&&blob| blob > 0).count(),
            "files: {rows:?}"
        );
        assert!(self.fixture.registry.verify(|_| ()).await.unwrap().is_clean());
    }
}

fn check(on: On, steps: &[Step], policy: Untagged) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new(on, policy).await;
        for step in steps {
            run = run.take(step).await;
            run.check().await;
        }
    });
}

fn policy() -> impl Strategy<Value = Untagged> {
    prop_oneof![Just(Untagged::Keep), Just(Untagged::Delete)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_leaves_what_the_model_says(steps in prop::collection::vec(step(), 1..40), policy in policy()) {
        check(On::Sqlite, &steps, policy);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn the_same_on_postgres(steps in prop::collection::vec(step(), 1..25), policy in policy()) {
        check(On::Postgres, &steps, policy);
    }
}
