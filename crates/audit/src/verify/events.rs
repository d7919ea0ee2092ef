//! What was copied from the event log, against the event log.

use std::collections::VecDeque;

use berth_catalog::Catalog;
use berth_catalog::event::{self, Event};
use berth_catalog::trail::{Entry, Head, Record};

use super::damage::{Damage, Kind};
use super::{BATCH, Report};
use crate::entry::of_event;
use crate::error::Result;

/// Follows the event log beside the trail.
pub(super) struct Events<'r> {
    catalog: Option<&'r Catalog>,
    ahead: VecDeque<Event>,
    /// Position of the event that was copied last.
    last: Option<i64>,
}

impl<'r> Events<'r> {
    pub(super) fn new(catalog: Option<&'r Catalog>) -> Self {
        Self { catalog, ahead: VecDeque::new(), last: None }
    }

    /// Forgets which event was copied last: what comes next is behind a gap.
    pub(super) fn skip(&mut self) {
        self.last = None;
    }

    /// Compares a record with the event that it copies, and looks for events that were left out.
    pub(super) async fn compare(&mut self, record: &Record, report: &mut Report) -> Result<()> {
        let Some(position) = record.entry.event else { return Ok(()) };
        if let Some(last) = self.last
            && position != last + 1
        {
            report.damage.push(Damage::new(
                record.position,
                Kind::Removed,
                format!("it copies event {position} behind a copy of event {last}"),
            ));
        }
        self.last = Some(position);
        let Some(event) = self.find(position).await? else { return Ok(()) };
        match event {
            Err(()) => report.damage.push(Damage::new(
                record.position,
                Kind::Removed,
                format!("event {position}, which it copies, is not in the event log"),
            )),
            Ok(event) if is_copy(&record.entry, &event) => report.events += 1,
            Ok(_) => report.damage.push(Damage::new(
                record.position,
                Kind::Altered,
                format!("it does not say what event {position} says, which it copies"),
            )),
        }
        Ok(())
    }

    /// Compares where copying ended, and verifies the event log's own chain.
    pub(super) async fn end(self, head: &Head, report: &mut Report) -> Result<()> {
        if let Some(last) = self.last.filter(|last| *last != head.event) {
            report.damage.push(Damage::new(
                head.position,
                Kind::Removed,
                format!("events were copied up to {}, and the last copy is of event {last}", head.event),
            ));
        }
        let Some(catalog) = self.catalog else { return Ok(()) };
        if let Some(wrong) = catalog.read(async |r| event::verify(r, BATCH).await).await? {
            report.damage.push(Damage::new(
                head.position,
                Kind::Altered,
                format!("the event log beside the trail is broken at event {wrong}"),
            ));
        }
        Ok(())
    }

    /// Finds an event; `None` where there is no event log to look at, an error if it isn't there.
    async fn find(&mut self, position: i64) -> Result<Option<Result<Event, ()>>> {
        let Some(catalog) = self.catalog else { return Ok(None) };
        while self.ahead.front().is_some_and(|event| event.position < position) {
            self.ahead.pop_front();
        }
        if self.ahead.is_empty() {
            self.ahead = catalog.read(async |r| event::list(r, position - 1, BATCH).await).await?.into();
        }
        let found = self.ahead.pop_front_if(|event| event.position == position);
        Ok(Some(found.ok_or(())))
    }
}

/// Compares all but what erasure takes away.
fn is_copy(entry: &Entry, event: &Event) -> bool {
    let mut copy = of_event(event);
    if copy.personal.is_some() {
        (copy.client, copy.agent) = (entry.client.clone(), entry.agent.clone());
    }
    copy == *entry
}
