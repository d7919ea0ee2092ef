//! Who did something, by name: what the API changed bears the pseudonym that logs have for a person.

use berth_catalog::binding::Kind;
use berth_catalog::subject;

use super::{Management, Result};
use crate::policy::Subject;

impl Management {
    /// Returns the name of whoever is known by this name or pseudonym. Who was erased has none any more.
    pub async fn name_of(&self, author: String) -> Result<String> {
        Ok(self.names_of(vec![author]).await?.swap_remove(0))
    }

    /// Does so for many, asking for each once.
    pub async fn names_of(&self, authors: Vec<String>) -> Result<Vec<String>> {
        let asked = authors.clone();
        let names = self.catalog.read(async |r| subject::names_of(r, asked).await).await?;
        Ok(authors.into_iter().map(|author| names.get(&author).cloned().unwrap_or(author)).collect())
    }

    /// Lets logs know whom something is about to be given, so that they can tell without the name.
    pub(super) async fn introduce(&self, subject: &Subject) {
        if subject.kind() == Kind::User {
            self.access.introduce(subject.name()).await;
        }
    }
}
