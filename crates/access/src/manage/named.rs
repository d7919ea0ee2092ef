//! Who did something, by name: what the API changed bears the pseudonym that logs have for a person.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use berth_catalog::subject;

use super::{Management, Result};

/// How pseudonyms begin. A user may be called so, too: then nobody has that pseudonym.
const PSEUDONYM: &str = "person-";

impl Management {
    /// Returns the name of whoever is known by this name or pseudonym. Who was erased has none any more.
    pub async fn name_of(&self, author: String) -> Result<String> {
        if !author.starts_with(PSEUDONYM) {
            return Ok(author);
        }
        let found = self.catalog.read(async |r| subject::find_by_pseudonym(r, &author).await).await?;
        Ok(found.and_then(|person| person.name).unwrap_or(author))
    }

    /// Does so for many, asking for each once.
    pub async fn names_of(&self, authors: Vec<String>) -> Result<Vec<String>> {
        let (mut known, mut names) = (HashMap::new(), Vec::new());
        for author in authors {
            names.push(match known.entry(author) {
                Entry::Occupied(name) => String::clone(name.get()),
                Entry::Vacant(place) => {
                    let name = self.name_of(place.key().clone()).await?;
                    place.insert(name).clone()
                }
            });
        }
        Ok(names)
    }
}
