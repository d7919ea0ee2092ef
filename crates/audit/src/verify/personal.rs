//! Plain columns against what is sealed beside them, and whom it is sealed for.

use std::collections::{HashMap, HashSet};

use berth_access::{Person, PersonError, Persons, VaultError};
use berth_catalog::trail::{Entry, Record};

use super::Report;
use super::damage::{Damage, Kind};
use crate::error::Result;

/// Persons kept in memory at a time.
const KNOWN: usize = 10_000;

/// What the catalog has of a person.
enum Known {
    /// The key.
    Person(Person),
    /// What an erasure leaves: a row. `unfinished` if plain columns may still tell of the person.
    Erased { unfinished: bool },
    /// A key that does not open under the name beside it: one of the two was changed.
    Renamed,
    /// Nothing, as if there had never been such a person.
    Nothing,
}

/// Opens what is sealed, for as long as the person is not erased.
pub(super) struct Sealed<'r> {
    persons: Option<&'r Persons>,
    known: HashMap<String, Known>,
    /// Those of whom it was said that something is wrong with them.
    told: HashSet<String>,
}

impl<'r> Sealed<'r> {
    pub(super) fn new(persons: Option<&'r Persons>) -> Self {
        Self { persons, known: HashMap::new(), told: HashSet::new() }
    }

    /// Looks whether a record says in plain what is sealed in it.
    pub(super) async fn compare(&mut self, record: &Record, report: &mut Report) -> Result<()> {
        let Some((person, sealed)) = self.look(record).await? else { return Ok(()) };
        let (client, agent) = (&record.entry.client, &record.entry.agent);
        let what = match self.known.get(&person) {
            None | Some(Known::Nothing | Known::Renamed) => {
                self.tell_unproved(&person, record.position, report);
                return Ok(());
            }
            Some(Known::Erased { unfinished }) => {
                report.erased += 1;
                if client.is_some() || agent.is_some() {
                    let (kind, what) = half_erased(&person, *unfinished);
                    self.tell(&person, record.position, kind, what, report);
                }
                return Ok(());
            }
            Some(Known::Person(subject)) => match subject.open(sealed) {
                None => "what is sealed in it is not what was sealed for its person",
                Some(personal) if (&personal.client, &personal.agent) != (client, agent) => {
                    "its columns client and agent do not say what is sealed beside them"
                }
                Some(_) => {
                    report.compared += 1;
                    return Ok(());
                }
            },
        };
        report.damage.push(Damage::new(record.position, Kind::Altered, what));
        Ok(())
    }

    /// Looks at a record of an archive, where nothing is in plain: whom it is of must be there all the same, if only erased.
    pub(super) async fn see_archived(&mut self, record: &Record, report: &mut Report) -> Result<()> {
        let Some((person, _)) = self.look(record).await? else { return Ok(()) };
        self.tell_unproved(&person, record.position, report);
        Ok(())
    }

    /// Says of a person whose row or name is not what it was that nothing proves any more who did this.
    fn tell_unproved(&mut self, person: &str, position: i64, report: &mut Report) {
        let what = match self.known.get(person) {
            None | Some(Known::Nothing) => vanished(person),
            Some(Known::Renamed) => renamed(person),
            Some(Known::Person(_) | Known::Erased { .. }) => return,
        };
        self.tell(person, position, Kind::Altered, what, report);
    }

    /// Finds whom something is sealed for in a record, and what; `known` has the person then.
    async fn look<'e>(&mut self, record: &'e Record) -> Result<Option<(String, &'e [u8])>> {
        let (Some(persons), Some(sealed)) = (self.persons, &record.entry.personal) else { return Ok(None) };
        let person = person_of(&record.entry);
        if !self.known.contains_key(&person) {
            if self.known.len() >= KNOWN {
                self.known.clear();
            }
            let known = match persons.logged_as(&person).await {
                Ok(Some(subject)) => Known::Person(subject),
                Err(PersonError::Vault { error: VaultError::Damaged, .. }) => Known::Renamed,
                Err(error) => return Err(error.into()),
                Ok(None) => persons
                    .is_half_erased(&person)
                    .await?
                    .map_or(Known::Nothing, |unfinished| Known::Erased { unfinished }),
            };
            self.known.insert(person.clone(), known);
        }
        Ok(Some((person, sealed)))
    }

    /// Says once for each person what is wrong.
    fn tell(&mut self, person: &str, position: i64, kind: Kind, what: String, report: &mut Report) {
        if self.told.len() < KNOWN && self.told.insert(person.to_owned()) {
            report.damage.push(Damage::new(position, kind, what));
        }
    }
}

fn vanished(person: &str) -> String {
    let who = if person == Persons::NOBODY { "those who are nobody in particular" } else { person };
    format!("the key of {who} was taken out of the catalog: nothing proves any more what is sealed in it")
}

fn renamed(person: &str) -> String {
    format!(
        "the catalog has another name for {person} than the one that its key was made for: who did this is not proved"
    )
}

fn half_erased(person: &str, unfinished: bool) -> (Kind, String) {
    if unfinished {
        (
            Kind::Unfinished,
            format!(
                "{person} was erased, and columns still say from where the person called: a server ends that within minutes, and \
                 so does `berth audit erase` with the same name"
            ),
        )
    } else {
        (Kind::Altered, format!("{person} was erased, and columns say again from where the person called"))
    }
}

/// Returns for whom what is personal in a record is sealed.
pub fn person_of(entry: &Entry) -> String {
    if entry.kind == "user" { entry.actor.clone() } else { Persons::NOBODY.to_owned() }
}
