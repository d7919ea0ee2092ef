//! Plain columns against what is sealed beside them.

use std::collections::HashMap;

use berth_access::{Person, Persons};
use berth_catalog::trail::{Entry, Record};

use super::Report;
use super::damage::{Damage, Kind};
use crate::error::Result;

/// Persons kept in memory at a time.
const KNOWN: usize = 10_000;

/// Opens what is sealed, for as long as the person is not erased.
pub(super) struct Sealed<'r> {
    persons: Option<&'r Persons>,
    known: HashMap<String, Option<Person>>,
}

impl<'r> Sealed<'r> {
    pub(super) fn new(persons: Option<&'r Persons>) -> Self {
        Self { persons, known: HashMap::new() }
    }

    pub(super) async fn compare(&mut self, record: &Record, report: &mut Report) -> Result<()> {
        let (Some(persons), Some(sealed)) = (self.persons, &record.entry.personal) else { return Ok(()) };
        let person = person_of(&record.entry);
        if !self.known.contains_key(&person) {
            if self.known.len() >= KNOWN {
                self.known.clear();
            }
            let subject = persons.logged_as(&person).await?;
            self.known.insert(person.clone(), subject);
        }
        let (client, agent) = (&record.entry.client, &record.entry.agent);
        let Some(subject) = self.known.get(&person).and_then(Option::as_ref) else {
            report.erased += 1;
            return Ok(());
        };
        let what = match subject.open(sealed) {
            None => "what is sealed in it is not what was sealed for its person",
            Some(personal) if (&personal.client, &personal.agent) != (client, agent) => {
                "its columns client and agent do not say what is sealed beside them"
            }
            Some(_) => {
                report.compared += 1;
                return Ok(());
            }
        };
        report.damage.push(Damage::new(record.position, Kind::Altered, what));
        Ok(())
    }
}

/// Returns for whom what is personal in a record is sealed.
pub fn person_of(entry: &Entry) -> String {
    if entry.kind == "user" { entry.actor.clone() } else { Persons::NOBODY.to_owned() }
}
