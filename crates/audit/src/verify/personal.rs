//! Plain columns against what is sealed beside them.

use std::collections::{HashMap, HashSet};

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
    /// Those of whom it was said that they are not erased everywhere.
    told: HashSet<String>,
}

impl<'r> Sealed<'r> {
    pub(super) fn new(persons: Option<&'r Persons>) -> Self {
        Self { persons, known: HashMap::new(), told: HashSet::new() }
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
            if client.is_some() || agent.is_some() {
                self.half_erased(&person, record.position, report).await?;
            }
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

impl Sealed<'_> {
    /// Says once for each person that columns tell what is to be forgotten.
    async fn half_erased(&mut self, person: &str, position: i64, report: &mut Report) -> Result<()> {
        if self.told.len() >= KNOWN || !self.told.insert(person.to_owned()) {
            return Ok(());
        }
        let Some(persons) = self.persons else { return Ok(()) };
        // Who was never anybody is somebody's forgery, which the chain tells of.
        let Some(unfinished) = persons.is_half_erased(person).await? else { return Ok(()) };
        let (kind, what) = if unfinished {
            (
                Kind::Unfinished,
                format!(
                    "{person} was erased, and columns still say from where the person called: a server ends that within minutes, and \
                     so does `berth audit erase` with the same name"
                ),
            )
        } else {
            (
                Kind::Altered,
                format!("{person} was erased, and columns say again from where the person called"),
            )
        };
        report.damage.push(Damage::new(position, kind, what));
        Ok(())
    }
}

/// Returns for whom what is personal in a record is sealed.
pub fn person_of(entry: &Entry) -> String {
    if entry.kind == "user" { entry.actor.clone() } else { Persons::NOBODY.to_owned() }
}
