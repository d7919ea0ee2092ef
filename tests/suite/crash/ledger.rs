//! What one client knows of its repository: everything acknowledged, and the one change whose answer never came.

use std::collections::{BTreeMap, BTreeSet};

/// A change that a client asks for.
#[derive(Clone, Debug)]
pub(super) enum Change {
    PushBlob { digest: String, size: u64 },
    PushManifest { digest: String, tag: Option<String> },
    DeleteTag { tag: String },
    DeleteManifest { digest: String },
}

/// A change as the event log has to tell it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fact {
    ManifestPushed { digest: String },
    TagMoved { tag: String, digest: String },
    TagDeleted { tag: String },
    ManifestDeleted { digest: String },
}

/// An upload that was begun and not yet ended.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) location: String,
    pub(super) seed: u64,
    pub(super) size: usize,
    /// Bytes that an answer acknowledged.
    pub(super) acknowledged: u64,
    /// Bytes that were sent, acknowledged or not.
    pub(super) sent: u64,
    /// The end was asked for.
    pub(super) finishing: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) blobs: BTreeMap<String, u64>,
    pub(super) manifests: BTreeSet<String>,
    pub(super) deleted: BTreeSet<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) uploads: Vec<Upload>,
    pub(super) facts: Vec<Fact>,
    /// Blobs acknowledged since the last check.
    pub(super) recent: Vec<String>,
    pub(super) in_doubt: Option<Change>,
    pub(super) acknowledged: u64,
}

impl Ledger {
    /// Notes a change that is about to be asked for.
    pub(super) fn ask(&mut self, change: Change) {
        self.in_doubt = Some(change);
    }

    /// The change asked for took place.
    pub(super) fn took_place(&mut self) {
        let Some(change) = self.in_doubt.take() else { return };
        self.acknowledged += 1;
        match change {
            Change::PushBlob { digest, size } => {
                self.recent.push(digest.clone());
                self.blobs.insert(digest, size);
            }
            Change::PushManifest { digest, tag } => {
                self.manifests.insert(digest.clone());
                self.facts.push(Fact::ManifestPushed { digest: digest.clone() });
                if let Some(tag) = tag {
                    self.facts.push(Fact::TagMoved { tag: tag.clone(), digest: digest.clone() });
                    self.tags.insert(tag, digest);
                }
            }
            Change::DeleteTag { tag } => {
                self.tags.remove(&tag);
                self.facts.push(Fact::TagDeleted { tag });
            }
            Change::DeleteManifest { digest } => {
                self.manifests.remove(&digest);
                let gone = self.tags.extract_if(.., |_, target| *target == digest);
                self.facts.extend(gone.map(|(tag, _)| Fact::TagDeleted { tag }));
                self.facts.push(Fact::ManifestDeleted { digest: digest.clone() });
                self.deleted.insert(digest);
            }
        }
    }
}
