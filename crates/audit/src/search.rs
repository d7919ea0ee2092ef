//! Searches of the trail in Elasticsearch's query language, answered in its shapes.
//!
//! A body is read to a request (`query`, `aggregation`, `sort`); names of persons are looked up in the catalog (`people`); what is left are
//! conditions on columns, which the trail answers in one view of it (`plan`); documents and buckets are written as Elasticsearch writes
//! them (`document`, `answer`).

mod aggregation;
mod answer;
mod date;
mod document;
mod error;
mod field;
mod many;
mod pattern;
mod people;
mod plan;
mod query;
mod request;
mod shown;
mod sort;
mod source;

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, trail, trail::Trail};
use serde_json::{Value, json};

pub use document::{INDEX, capabilities, document, mapping};
pub use error::{Error, Result};

use people::Directory;
use plan::Plan;
use request::Request;

/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Parameters of an address, decoded.
pub type Parameters = [(String, String)];

/// Answers searches. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Search {
    trail: Trail,
    directory: Directory,
    patience: Duration,
}

impl Search {
    /// Searches `trail`; `catalog` knows the names of persons.
    pub fn new(trail: Trail, catalog: Catalog) -> Self {
        Self { trail, directory: Directory::new(catalog), patience: PATIENCE }
    }

    /// Lets each search take so long at most.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Answers `_search`.
    ///
    /// # Errors
    /// What is wrong with the body or the parameters, or that the answer took too long.
    pub async fn search(&self, body: &Value, parameters: &Parameters) -> Result<Value> {
        let begun = Instant::now();
        let request = Request::parse(body, parameters, self.trail.clock().now())?;
        let plan = Plan::of(&request, &self.directory).await?;
        let found = self.trail.search(self.patience, async move |r| plan.run(r).await).await;
        let found = found.map_err(|error| self.failed(error))?;
        answer::refused(&found)?;
        let names = self.directory.names(found.people()).await?;
        let mut answer = answer::search(&request, &found, &names);
        answer["took"] = json!(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        Ok(answer)
    }

    /// Answers `_count`.
    ///
    /// # Errors
    /// As [`Search::search`].
    pub async fn count(&self, body: &Value, parameters: &Parameters) -> Result<Value> {
        let query = Request::parse_count(body, parameters, self.trail.clock().now())?;
        let condition = self.directory.resolve(query).await?;
        let counted =
            self.trail.search(self.patience, async move |r| trail::search::count(r, &condition, None).await);
        let counted = counted.await.map_err(|error| self.failed(error))?;
        Ok(json!({ "count": counted.count, "_shards": answer::shards() }))
    }

    fn failed(&self, error: berth_catalog::Error) -> Error {
        match error {
            berth_catalog::Error::TooSlow => Error::slow(self.patience.as_secs()),
            error => error.into(),
        }
    }
}

#[cfg(test)]
mod tests;
