//! Fills the columns that searches use with what is sealed beside them, unless the person is erased.

use std::collections::HashMap;

use berth_access::{Person, Persons};
use berth_catalog::trail::Entry;

use crate::error::Result;
use crate::verify::person_of;

/// Fills the columns that are searched with what is sealed, for as long as the person is not erased.
pub async fn reveal(persons: &Persons, entries: &mut [Entry]) -> Result<()> {
    let mut known: HashMap<String, Option<Person>> = HashMap::new();
    for entry in entries {
        let Some(sealed) = &entry.personal else { continue };
        let person = person_of(entry);
        if !known.contains_key(&person) {
            let subject = persons.logged_as(&person).await?;
            known.insert(person.clone(), subject);
        }
        let personal = known.get(&person).and_then(Option::as_ref).and_then(|subject| subject.open(sealed));
        if let Some(personal) = personal {
            entry.client = personal.client;
            entry.agent = personal.agent;
        }
    }
    Ok(())
}
