//! How an import from another registry stands.

use std::collections::BTreeMap;

use berth_blobs::UploadId;
use serde::{Deserialize, Serialize};

/// Most problems listed.
const MOST_PROBLEMS: usize = 1000;
/// Most characters of one: names come from the other registry, which may say anything.
const MOST_CHARACTERS: usize = 300;

/// What came in, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PullReport {
    /// Address of the other registry.
    pub registry: String,
    /// Whether nothing was taken, only counted.
    pub dry_run: bool,
    /// Repositories looked at.
    pub repositories: u64,
    /// Tags that moved, or would.
    pub tags: u64,
    /// Tags that were as they are there already, with all that belongs to them.
    pub same: u64,
    /// Manifests that came in.
    pub manifests: u64,
    /// Those of them that refer to others: signatures, bills of materials.
    pub referrers: u64,
    /// Blobs that were fetched.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that another repository here had already.
    pub linked: u64,
    /// Times that a transfer broke off and went on where it was.
    pub resumed: u64,
    /// Tags and repositories that did not come in.
    pub failed: u64,
    /// Why, and what else is worth knowing; at most a thousand.
    pub problems: Vec<String>,
}

impl PullReport {
    /// Notes something that did not come in.
    pub(super) fn fail(&mut self, problem: String) {
        self.failed += 1;
        self.note(problem);
    }

    /// Notes what is worth knowing.
    pub(super) fn note(&mut self, mut problem: String) {
        if let Some((end, _)) = problem.char_indices().nth(MOST_CHARACTERS) {
            // Copied, so that the rest is given back.
            problem = format!("{}…", &problem[..end]);
        }
        tracing::warn!(problem, "imported with a problem");
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// What the job's row says while it is at work, and what the next try goes on from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Standing {
    pub(super) phase: String,
    /// Tags looked at in this try, and known so far.
    pub(super) done: u64,
    pub(super) total: u64,
    /// Whether the other registry has ever listed what it holds.
    pub(super) listed: bool,
    /// Uploads of large blobs that are under way, by repository and digest.
    pub(super) uploads: BTreeMap<String, UploadId>,
    #[serde(flatten)]
    pub(super) report: PullReport,
}

impl Standing {
    /// Begins a try. What earlier ones took is not taken again, but has been.
    pub(super) fn resume(progress: Option<&str>, registry: &str, dry_run: bool) -> Self {
        let before: Self = progress.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let kept = if dry_run { PullReport::default() } else { before.report };
        Self {
            phase: "pull".to_owned(),
            listed: before.listed,
            uploads: before.uploads,
            report: PullReport {
                registry: registry.to_owned(),
                dry_run,
                tags: kept.tags,
                manifests: kept.manifests,
                referrers: kept.referrers,
                blobs: kept.blobs,
                bytes: kept.bytes,
                linked: kept.linked,
                resumed: kept.resumed,
                ..PullReport::default()
            },
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_briefly() {
        let mut report = PullReport::default();
        report.note("é".repeat(300));
        report.fail(format!("{}: is no name", "é".repeat(1 << 20)));
        assert_eq!(report.problems, ["é".repeat(300), "é".repeat(300) + "…"]);
        assert_eq!(report.failed, 1);
    }

    #[test]
    fn another_try_goes_on_with_what_was_taken() {
        let mut standing = Standing::resume(None, "https://old", false);
        let upload = UploadId::random();
        standing.uploads.insert("a@b".into(), upload);
        standing.report.tags = 3;
        standing.report.same = 2;
        standing.report.fail("x".into());
        let json = serde_json::to_string(&standing).unwrap();
        let next = Standing::resume(Some(&json), "https://old", false);
        assert_eq!(next.uploads.get("a@b"), Some(&upload));
        assert_eq!((next.report.tags, next.report.same, next.report.failed), (3, 0, 0));
        assert!(next.report.problems.is_empty());
        assert_eq!(Standing::resume(Some("[]"), "https://old", false).report.tags, 0);
    }
}
