//! Persons who were erased after a point was taken: a later point knows of them, and they stay erased.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};

use berth_catalog::export::Subject;
use parking_lot::Mutex;

use crate::archive::{Archive, Found};
use crate::error::{Error, Result};
use crate::table::Rows;

/// Who was erased, as the newest point knows it.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    /// Names in logs, and when the person was erased, in microseconds.
    since: HashMap<String, i64>,
    /// Those of them whom the restored point knows otherwise.
    heeded: Mutex<BTreeSet<String>>,
}

impl Erased {
    /// Finds those whom the newest point knows to be erased: rows of the erased stay for good. A point that can't be read is no reason
    /// to restore nothing; what is wrong with it is returned.
    pub(crate) async fn find(archive: &Archive, restored: &str) -> Result<(Self, Option<String>)> {
        let newest = archive.points().await?.into_iter().filter_map(Found::whole).next_back();
        let Some((name, summary)) = newest.filter(|(name, _)| name != restored) else {
            return Ok((Self::default(), None));
        };
        let mut since = HashMap::new();
        let read = async {
            let folder = Archive::point(&name);
            let rows = Rows::<Subject>::open(archive.shelf(), &folder, &summary.files).await?;
            rows.each(|subject| {
                if let Some(at) = subject.erased_at {
                    since.insert(subject.pseudonym, at);
                }
            })
            .await
        };
        match read.await {
            Ok(()) => Ok((Self { since, ..Self::default() }, None)),
            Err(error @ Error::Damaged { .. }) => Ok((Self::default(), Some(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    /// Leaves of each person who was erased what an erasure leaves. Only rows of persons are changed.
    pub(crate) fn heed<T: Any>(&self, rows: &mut [T]) {
        for row in rows {
            if let Some(subject) = (row as &mut dyn Any).downcast_mut::<Subject>()
                && let Some(at) = self.since.get(&subject.pseudonym)
            {
                if subject.erased_at.is_none() {
                    self.heeded.lock().insert(subject.pseudonym.clone());
                }
                (subject.name, subject.sealed) = (None, None);
                subject.erased_at = Some(*at);
            }
        }
    }

    /// Returns the names in logs of those who were erased here, in order.
    pub(crate) fn heeded(self) -> Vec<String> {
        self.heeded.into_inner().into_iter().collect()
    }
}
