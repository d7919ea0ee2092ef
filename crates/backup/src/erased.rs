//! Persons who were erased after a point was taken: a later point knows of them, and they stay erased.

use std::any::Any;
use std::collections::HashMap;

use berth_catalog::export::Subject;

use crate::archive::{Archive, Found};
use crate::error::{Error, Result};
use crate::table::Rows;

/// Names in logs, and when the person was erased, in microseconds.
pub(crate) type Erased = HashMap<String, i64>;

/// Finds those whom the newest point knows to be erased: rows of the erased stay for good. A point that can't be read is no reason to
/// restore nothing; what is wrong with it is returned.
pub(crate) async fn erased_since(archive: &Archive, restored: &str) -> Result<(Erased, Option<String>)> {
    let newest = archive.points().await?.into_iter().filter_map(Found::whole).next_back();
    let Some((name, summary)) = newest.filter(|(name, _)| name != restored) else {
        return Ok((Erased::new(), None));
    };
    let mut erased = Erased::new();
    let read = async {
        let folder = Archive::point(&name);
        let rows = Rows::<Subject>::open(archive.shelf(), &folder, &summary.files).await?;
        rows.each(|subject| {
            if let Some(at) = subject.erased_at {
                erased.insert(subject.pseudonym, at);
            }
        })
        .await
    };
    match read.await {
        Ok(()) => Ok((erased, None)),
        Err(error @ Error::Damaged { .. }) => Ok((Erased::new(), Some(error.to_string()))),
        Err(error) => Err(error),
    }
}

/// Leaves of each person who was erased what an erasure leaves. Only rows of persons are changed.
pub(crate) fn heed<T: Any>(rows: &mut [T], erased: &Erased) {
    for row in rows {
        if let Some(subject) = (row as &mut dyn Any).downcast_mut::<Subject>()
            && let Some(at) = erased.get(&subject.pseudonym)
        {
            (subject.name, subject.sealed) = (None, None);
            subject.erased_at = Some(*at);
        }
    }
}
