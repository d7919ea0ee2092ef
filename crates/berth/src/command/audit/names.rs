//! Pseudonyms back to names, while there are any.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use berth_catalog::Catalog;
use berth_catalog::subject::{self, PSEUDONYM};

/// Remembers whom it has asked for.
pub(crate) struct Names {
    catalog: Catalog,
    known: HashMap<String, String>,
}

impl Names {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, known: HashMap::new() }
    }

    /// Returns the name to log in with of whoever logs call so; what is no pseudonym, or nobody's any more, as it is.
    pub(crate) async fn of(&mut self, actor: &str) -> Result<String> {
        if !actor.starts_with(PSEUDONYM) {
            return Ok(actor.to_owned());
        }
        if !self.known.contains_key(actor) {
            let asked = actor.to_owned();
            let found = self.catalog.read(async |r| subject::names_of(r, [asked]).await).await?;
            let name = found.get(actor).map_or(actor, String::as_str);
            self.known.insert(actor.to_owned(), name.to_owned());
        }
        Ok(self.known.get(actor).cloned().unwrap_or_default())
    }

    /// Returns the names of those among `logged` who have one.
    pub(super) async fn known(&mut self, logged: Vec<String>) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        for logged in logged {
            let name = self.of(&logged).await?;
            if name != logged {
                names.insert(logged, name);
            }
        }
        Ok(names)
    }
}
