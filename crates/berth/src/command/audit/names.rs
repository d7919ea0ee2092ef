//! Pseudonyms back to names, while there are any.

use std::collections::HashMap;

use anyhow::Result;
use berth_catalog::{Catalog, subject};

/// Remembers whom it has asked for.
pub(crate) struct Names {
    catalog: Catalog,
    known: HashMap<String, Option<String>>,
}

impl Names {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, known: HashMap::new() }
    }

    /// Returns the name to log in with of whoever logs call so; what is no pseudonym, or nobody's any more, as it is.
    pub(crate) async fn of(&mut self, actor: &str) -> Result<String> {
        if !actor.starts_with("person-") {
            return Ok(actor.to_owned());
        }
        if !self.known.contains_key(actor) {
            let row = self.catalog.read(async |r| subject::find_by_pseudonym(r, actor).await).await?;
            self.known.insert(actor.to_owned(), row.and_then(|row| row.name));
        }
        let name = self.known.get(actor).cloned().flatten();
        Ok(name.unwrap_or_else(|| actor.to_owned()))
    }
}
