//! Compares the files of the store with the rows of the catalog, beside pushes and collections.

use std::cmp::Ordering;
use std::collections::VecDeque;

use berth_blobs::Location;
use berth_catalog::blob;
use serde::Serialize;

use super::verify::{MOST_PROBLEMS, VerifyReport};
use crate::scrub::UnderWay;
use crate::{Registry, Result};

/// Files, and rows, read at a time.
const PAGE: usize = 1024;

/// A location where store and catalog disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Where in the store.
    pub location: String,
    /// What is wrong.
    pub reason: String,
}

/// One side of the comparison: locations and sizes in the order of locations, page after page.
#[derive(Debug, Default)]
struct Side {
    page: VecDeque<(String, u64)>,
    last: String,
    ended: bool,
}

impl Side {
    fn is_due(&self) -> bool {
        self.page.is_empty() && !self.ended
    }

    fn fill(&mut self, page: VecDeque<(String, u64)>) {
        match page.back() {
            Some((last, _)) => self.last.clone_from(last),
            None => self.ended = true,
        }
        self.page = page;
    }
}

impl Registry {
    /// Looks for rows without a file, files without a row, and other sizes. The two sides are read at different moments, so
    /// whatever looks wrong is asked for again.
    pub(super) async fn verify_store(&self, report: &mut VerifyReport) -> Result<()> {
        let (mut files, mut rows) = (Side::default(), Side::default());
        let mut under_way = UnderWay::default();
        loop {
            if files.is_due() {
                let after = (!files.last.is_empty()).then(|| Location::from(files.last.as_str()));
                let page = self.0.blobs.scan(after.as_ref(), PAGE).await?;
                files.fill(page.into_iter().map(|(location, size)| (location.into(), size)).collect());
                under_way = self.under_way().await?;
            }
            if rows.is_due() {
                let after = &rows.last;
                let page = self.0.catalog.read(async |r| blob::list_stored(r, after, PAGE).await).await?;
                rows.fill(page.into());
            }
            let order = match (files.page.front(), rows.page.front()) {
                (None, None) => return Ok(()),
                (Some(file), Some(row)) => file.0.cmp(&row.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            let file = order.is_le().then(|| files.page.pop_front()).flatten();
            let row = order.is_ge().then(|| rows.page.pop_front()).flatten();
            report.files += u64::from(file.is_some());
            report.file_bytes += file.as_ref().map_or(0, |(_, size)| *size);
            let wrong = match (file, row) {
                (Some((location, file)), Some((_, row))) if file != row => {
                    self.look_again(location, row, &under_way).await?
                }
                (Some((location, _)), None) => self.look_again_at_file(location, &under_way).await?,
                (None, Some((location, row))) => self.look_again(location, row, &under_way).await?,
                _ => None,
            };
            if report.disagreements.len() < MOST_PROBLEMS {
                report.disagreements.extend(wrong);
            }
        }
    }

    /// Returns what is wrong with a row's file, if the row is still there.
    async fn look_again(
        &self,
        location: String,
        size: u64,
        under_way: &UnderWay,
    ) -> Result<Option<Disagreement>> {
        let reason = match self.0.blobs.open(&Location::from(location.as_str())).await {
            Ok(reader) if reader.size() == size => return Ok(None),
            Ok(reader) => format!("{} bytes lie where {size} should", reader.size()),
            Err(berth_blobs::Error::NotFound) => "its file is gone".to_owned(),
            Err(error) => format!("its file cannot be opened: {error}"),
        };
        if self.is_committed(&location).await? {
            return Ok(Some(Disagreement { location, reason }));
        }
        self.look_again_at_file(location, under_way).await
    }

    /// Tells of a file that no row, no trash and no upload under way knows, if it is still there.
    async fn look_again_at_file(
        &self,
        location: String,
        under_way: &UnderWay,
    ) -> Result<Option<Disagreement>> {
        let file = Location::from(location.as_str());
        if !self.is_litter(&file, under_way).await? {
            return Ok(None);
        }
        Ok(match self.0.blobs.open(&file).await {
            Ok(reader) => {
                let reason = format!("nothing knows this file of {} bytes", reader.size());
                Some(Disagreement { location, reason })
            }
            Err(_) => None,
        })
    }
}
