//! Who stands behind the pseudonyms of the trail.

use std::collections::{BTreeMap, HashSet};

use berth_catalog::trail::search::{Column, Condition, Value};
use berth_catalog::{Catalog, subject};

use super::error::{Error, Result};
use super::query::{People, Query, glob_matches};

/// Persons that one pattern may stand for.
const MOST: usize = 1_000;
/// Persons read at a time.
const PAGE: usize = 1_000;

/// Finds pseudonyms for names, and names for pseudonyms.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    catalog: Catalog,
}

impl Directory {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }

    /// Says in the trail's terms which records a query means.
    pub(crate) async fn resolve(&self, query: Query) -> Result<Condition> {
        let mut known = None;
        self.condition(query, &mut known).await
    }

    /// `known` is everybody, once somebody has asked for a pattern.
    async fn condition(&self, query: Query, known: &mut Option<Vec<(String, String)>>) -> Result<Condition> {
        Ok(match query {
            Query::Is(condition) => condition,
            Query::Person(People::Named(names)) => {
                let mut values: Vec<Value> = Vec::new();
                for name in names {
                    values.extend(self.pseudonym(&name).await?.map(Value::Text));
                    // Robots and jobs stand there by name, and so does who was never given a pseudonym.
                    values.push(Value::Text(name));
                }
                Condition::In(Column::Actor, values)
            }
            Query::Person(People::Like(glob)) => {
                if known.is_none() {
                    *known = Some(self.everybody().await?);
                }
                let people = known.iter().flatten().filter(|(_, name)| glob_matches(&glob, name));
                let found: Vec<Value> = people.map(|(pseudonym, _)| Value::Text(pseudonym.clone())).collect();
                if found.len() > MOST {
                    return Err(Error::too_many(format!(
                        "a pattern of [user.name] stands for more than {MOST} persons"
                    )));
                }
                let is_person = Condition::In(Column::Kind, vec![Value::Text("user".into())]);
                let by_name = Condition::Not(Box::new(is_person)).and(Condition::Like(Column::Actor, glob));
                Condition::Any(vec![Condition::In(Column::Actor, found), by_name])
            }
            Query::Not(one) => match Box::pin(self.condition(*one, known)).await? {
                Condition::All => Condition::Nothing,
                Condition::Nothing => Condition::All,
                one => Condition::Not(Box::new(one)),
            },
            Query::Every(all) => {
                let all = self.conditions(all, known).await?;
                all.into_iter().fold(Condition::All, Condition::and)
            }
            Query::Any(all) => {
                let mut all = self.conditions(all, known).await?;
                all.retain(|one| *one != Condition::Nothing);
                match all.len() {
                    _ if all.contains(&Condition::All) => Condition::All,
                    0 => Condition::Nothing,
                    1 => all.swap_remove(0),
                    _ => Condition::Any(all),
                }
            }
            Query::AtLeast(least, all) => Condition::AtLeast(least, self.conditions(all, known).await?),
        })
    }

    async fn conditions(
        &self,
        all: Vec<Query>,
        known: &mut Option<Vec<(String, String)>>,
    ) -> Result<Vec<Condition>> {
        let mut conditions = Vec::with_capacity(all.len());
        for one in all {
            conditions.push(Box::pin(self.condition(one, known)).await?);
        }
        Ok(conditions)
    }

    async fn pseudonym(&self, name: &str) -> Result<Option<String>> {
        let found = self.catalog.read(async |r| subject::find(r, name).await).await?;
        Ok(found.map(|subject| subject.pseudonym))
    }

    /// Lists pseudonyms and names.
    async fn everybody(&self) -> Result<Vec<(String, String)>> {
        let mut all: Vec<(String, String)> = Vec::new();
        loop {
            let last = all.last().map(|(_, name)| name.clone()).unwrap_or_default();
            let page = self.catalog.read(async |r| subject::list_named(r, &last, PAGE).await).await?;
            let is_last = page.len() < PAGE;
            all.extend(page.into_iter().map(|(name, pseudonym)| (pseudonym, name)));
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Finds the names of some pseudonyms; those who were erased have none any more.
    pub(crate) async fn names(&self, pseudonyms: HashSet<String>) -> Result<BTreeMap<String, String>> {
        if pseudonyms.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self.catalog.read(async |r| subject::names_of(r, pseudonyms).await).await?)
    }
}
