//! Persons who have no name and no key any more, against what is recorded of erasures: nobody is made nobody without a trace.

use std::collections::BTreeSet;

use berth_catalog::event::Kind as EventKind;
use berth_catalog::export::{Event, Exported, Key};
use berth_catalog::trail::Record;
use berth_catalog::{Catalog, Reader, subject};
use serde_json::Value;

use super::damage::{Damage, Kind};
use super::{BATCH, Report};
use crate::entry::ERASE;
use crate::error::Result;

/// Remembers whose erasure is recorded.
pub(super) struct Erasures<'r> {
    catalog: Option<&'r Catalog>,
    recorded: BTreeSet<String>,
    /// Archives may tell of more.
    lacks_archives: bool,
}

impl<'r> Erasures<'r> {
    pub(super) fn new(catalog: Option<&'r Catalog>) -> Self {
        Self { catalog, recorded: BTreeSet::new(), lacks_archives: false }
    }

    /// Notes that there are archives which are not looked at.
    pub(super) fn miss_archives(&mut self) {
        self.lacks_archives = true;
    }

    /// Looks whether a record is one of an erasure.
    pub(super) fn see(&mut self, record: &Record) {
        if record.entry.action == ERASE && record.entry.outcome == "success" {
            let detail = serde_json::from_str(&record.entry.detail).unwrap_or_default();
            self.recorded.extend(subject_of(&detail));
        }
    }

    /// Looks whom the catalog does not know any more.
    pub(super) async fn end(&self, report: &mut Report) -> Result<()> {
        let Some(catalog) = self.catalog else { return Ok(()) };
        let missed = catalog.snapshot(async |r| self.missed(r).await).await?;
        if self.lacks_archives && !missed.is_empty() {
            report.unchecked.push(format!(
                "that {} persons were erased is recorded neither here nor in the event log: archives have to tell",
                missed.len()
            ));
            return Ok(());
        }
        report.damage.extend(missed.into_iter().map(|person| {
            let what =
                format!("{person} has no name or no key any more, and no erasure of this person is recorded");
            Damage::new(0, Kind::Removed, what)
        }));
        Ok(())
    }

    async fn missed(&self, r: &Reader) -> berth_catalog::Result<BTreeSet<String>> {
        let (mut missed, mut last) = (BTreeSet::new(), String::new());
        loop {
            let page = subject::list_forgotten(r, &last, BATCH).await?;
            let Some(end) = page.last() else { break };
            last.clone_from(end);
            missed.extend(page.into_iter().filter(|person| !self.recorded.contains(person)));
        }
        // One of this moment, or one whose record is archived, is in the event log.
        let mut key = Key::default();
        while !missed.is_empty() {
            let page = Event::page(r, &key, BATCH).await?;
            let Some((end, _)) = page.last() else { break };
            key = end.clone();
            for (_, event) in page.iter().filter(|(_, event)| event.kind == EventKind::Administered.as_str())
            {
                let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
                if detail.get("action").and_then(Value::as_str) == Some(ERASE)
                    && let Some(person) = subject_of(&detail)
                {
                    missed.remove(&person);
                }
            }
        }
        Ok(missed)
    }
}

fn subject_of(detail: &Value) -> Option<String> {
    detail.get("subject").and_then(Value::as_str).map(ToOwned::to_owned)
}
