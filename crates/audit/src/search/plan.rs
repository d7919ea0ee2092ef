//! What a search asks of the trail, once the names in it are looked up, and what it finds.

use std::collections::HashSet;
use std::ops::Bound;

use berth_catalog::trail::Record;
use berth_catalog::trail::search::{
    self as ask, After, Column, Condition, Counted, Direction, Edge, Sort, Value,
};
use berth_catalog::{Error as CatalogError, Reader};

use super::aggregation::{Aggregation, Histogram, MOST_BUCKETS, Named, Terms};
use super::error::Result;
use super::field::Kind;
use super::people::Directory;
use super::request::{Request, Track};
use crate::names::pseudonyms;

/// Questions that one search may ask.
const MOST_QUESTIONS: usize = 1_000;

/// What a search asks.
#[derive(Debug)]
pub(super) struct Plan {
    condition: Condition,
    sorts: Vec<Sort>,
    after: Option<After>,
    from: u64,
    size: u64,
    track: Track,
    aggregations: Vec<Named<Condition>>,
}

/// What it found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) total: Option<Counted>,
    pub(super) results: Vec<Outcome>,
    /// A search asked for more than one may: which it was is said instead.
    pub(super) refused: Option<super::Error>,
}

/// What came of one aggregation.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Buckets, and how many records lie in none of them.
    Terms {
        buckets: Vec<Bucket>,
        other: u64,
        of_people: bool,
    },
    Histogram(Vec<Bucket>),
    Cardinality(u64),
    Filter(Bucket),
}

/// Some records, and what came of the aggregations below.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) key: Value,
    pub(super) count: u64,
    pub(super) below: Vec<Outcome>,
}

impl Plan {
    /// Looks up the names that a request has.
    pub(super) async fn of(request: &Request, directory: &Directory) -> Result<Self> {
        Ok(Self {
            condition: directory.resolve(request.query.clone()).await?,
            sorts: request.order.columns(),
            after: request.after.clone(),
            from: request.from as u64,
            size: request.size as u64,
            track: request.track,
            aggregations: resolve(&request.aggregations, directory).await?,
        })
    }

    /// Asks the trail.
    pub(super) async fn run(self, r: &Reader) -> Result<Found, CatalogError> {
        let mut found = Found::default();
        if self.size > 0 {
            found.records =
                ask::page(r, &self.condition, &self.sorts, self.after.as_ref(), self.from, self.size).await?;
        }
        found.total = self.total(r, found.records.len() as u64).await?;
        let mut work = Work { r, questions: 0, buckets: 0, refused: None };
        found.results = work.all(&self.aggregations, &self.condition).await?;
        found.refused = work.refused;
        Ok(found)
    }

    async fn total(&self, r: &Reader, shown: u64) -> Result<Option<Counted>, CatalogError> {
        let bound = match self.track {
            Track::Nothing => return Ok(None),
            Track::All => None,
            Track::UpTo(bound) => Some(bound),
        };
        // A page that is not full is the last one.
        let is_last = self.after.is_none() && shown < self.size && (shown > 0 || self.from == 0);
        if is_last && bound.is_none_or(|bound| self.from + shown <= bound) {
            return Ok(Some(Counted { count: self.from + shown, is_bound: false }));
        }
        ask::count(r, &self.condition, bound).await.map(Some)
    }
}

async fn resolve(all: &[Named], directory: &Directory) -> Result<Vec<Named<Condition>>> {
    let mut resolved = Vec::with_capacity(all.len());
    for one in all {
        let what = match &one.what {
            Aggregation::Terms(terms) => Aggregation::Terms(terms.clone()),
            Aggregation::Histogram(histogram) => Aggregation::Histogram(histogram.clone()),
            Aggregation::Cardinality(field) => Aggregation::Cardinality(*field),
            Aggregation::Filter(query) => Aggregation::Filter(directory.resolve(query.clone()).await?),
        };
        let below = Box::pin(resolve(&one.below, directory)).await?;
        resolved.push(Named { name: one.name.clone(), what, below, meta: None });
    }
    Ok(resolved)
}

/// The aggregations of one search, which together may cost so much and no more.
struct Work<'r> {
    r: &'r Reader,
    questions: usize,
    buckets: usize,
    refused: Option<super::Error>,
}

impl Work<'_> {
    async fn all(
        &mut self,
        all: &[Named<Condition>],
        condition: &Condition,
    ) -> Result<Vec<Outcome>, CatalogError> {
        let mut outcomes = Vec::with_capacity(all.len());
        for one in all {
            self.questions += 1;
            if self.questions > MOST_QUESTIONS {
                self.refuse(super::Error::too_many_buckets(MOST_QUESTIONS));
            }
            if self.refused.is_some() {
                break;
            }
            outcomes.push(Box::pin(self.one(one, condition)).await?);
        }
        Ok(outcomes)
    }

    fn refuse(&mut self, error: super::Error) {
        self.refused.get_or_insert(error);
    }

    async fn one(&mut self, one: &Named<Condition>, condition: &Condition) -> Result<Outcome, CatalogError> {
        match &one.what {
            Aggregation::Terms(terms) => self.terms(terms, &one.below, condition).await,
            Aggregation::Histogram(histogram) => self.histogram(histogram, &one.below, condition).await,
            Aggregation::Cardinality(field) => {
                let kind = field.map(|field| field.kind);
                let count = match (kind, kind.and_then(Kind::column)) {
                    (_, Some(column)) => ask::count_distinct(self.r, condition, column).await?,
                    (Some(Kind::Same(_)), _) => ask::count(self.r, condition, Some(1)).await?.count,
                    _ => 0,
                };
                Ok(Outcome::Cardinality(count))
            }
            Aggregation::Filter(filter) => {
                let condition = condition.clone().and(filter.clone());
                let count = ask::count(self.r, &condition, None).await?.count;
                let below = self.all(&one.below, &condition).await?;
                Ok(Outcome::Filter(Bucket { key: Value::Int(0), count, below }))
            }
        }
    }

    async fn terms(
        &mut self,
        terms: &Terms,
        below: &[Named<Condition>],
        condition: &Condition,
    ) -> Result<Outcome, CatalogError> {
        let kind = terms.field.map(|field| field.kind);
        let of_people = kind == Some(Kind::Person);
        let Some(column) = kind.and_then(Kind::column) else {
            let mut buckets = Vec::new();
            if let Some(Kind::Same(same)) = kind {
                let count = ask::count(self.r, condition, None).await?.count;
                if count >= terms.least {
                    let below = self.all(below, condition).await?;
                    buckets.push(Bucket { key: Value::Text(same.into()), count, below });
                }
            }
            return Ok(Outcome::Terms { buckets, other: 0, of_people });
        };
        let direction = if terms.descending { Direction::Descending } else { Direction::Ascending };
        let groups =
            ask::groups(self.r, condition, column, (terms.by, direction), terms.least, terms.size as u64)
                .await?;
        let shown: u64 = groups.iter().map(|group| group.count).sum();
        let other = if groups.len() == terms.size {
            let has_it = condition.clone().and(Condition::Present(column));
            ask::count(self.r, &has_it, None).await?.count.saturating_sub(shown)
        } else {
            0
        };
        let mut buckets = Vec::with_capacity(groups.len());
        self.count_buckets(groups.len());
        for group in groups {
            let inside = condition.clone().and(Condition::In(column, vec![group.key.clone()]));
            let below = if below.is_empty() { Vec::new() } else { self.all(below, &inside).await? };
            buckets.push(Bucket { key: group.key, count: group.count, below });
        }
        Ok(Outcome::Terms { buckets, other, of_people })
    }

    async fn histogram(
        &mut self,
        histogram: &Histogram,
        below: &[Named<Condition>],
        condition: &Condition,
    ) -> Result<Outcome, CatalogError> {
        let edges = if histogram.is_known {
            let first = ask::edge(self.r, condition, Edge::First).await?;
            first.zip(ask::edge(self.r, condition, Edge::Last).await?)
        } else {
            None
        };
        let extended = histogram.extended.filter(|_| histogram.least == 0);
        let span = [edges, extended]
            .into_iter()
            .flatten()
            .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let Some((first, last)) = span else { return Ok(Outcome::Histogram(Vec::new())) };
        let bounds = match histogram.bounds(first, last) {
            Ok(bounds) => bounds,
            Err(error) => {
                self.refuse(error);
                return Ok(Outcome::Histogram(Vec::new()));
            }
        };
        let counts = ask::buckets(self.r, condition, &bounds).await?;
        let mut buckets = Vec::new();
        for (pair, count) in bounds.windows(2).zip(counts).filter(|(_, count)| *count >= histogram.least) {
            let inside = Bound::Included(Value::Int(pair[0]));
            let inside = Condition::Between(Column::At, inside, Bound::Excluded(Value::Int(pair[1])));
            let below = if below.is_empty() {
                Vec::new()
            } else {
                self.all(below, &condition.clone().and(inside)).await?
            };
            buckets.push(Bucket { key: Value::Int(pair[0]), count, below });
        }
        self.count_buckets(buckets.len());
        if histogram.descending {
            buckets.reverse();
        }
        Ok(Outcome::Histogram(buckets))
    }

    fn count_buckets(&mut self, count: usize) {
        self.buckets += count;
        if self.buckets > MOST_BUCKETS {
            self.refuse(super::Error::too_many_buckets(MOST_BUCKETS));
        }
    }
}

impl Found {
    /// Returns the pseudonyms whose names an answer needs.
    pub(super) fn people(&self) -> HashSet<String> {
        let mut people: HashSet<String> =
            self.records.iter().flat_map(|record| pseudonyms(&record.entry)).collect();
        self.results.iter().for_each(|outcome| outcome.people(&mut people));
        people
    }
}

impl Outcome {
    fn people(&self, people: &mut HashSet<String>) {
        let (buckets, of_people) = match self {
            Self::Terms { buckets, of_people, .. } => (&buckets[..], *of_people),
            Self::Histogram(buckets) => (&buckets[..], false),
            Self::Filter(bucket) => (std::slice::from_ref(bucket), false),
            Self::Cardinality(_) => return,
        };
        for bucket in buckets {
            if let (true, Value::Text(actor)) = (of_people, &bucket.key) {
                people.insert(actor.clone());
            }
            bucket.below.iter().for_each(|outcome| outcome.people(people));
        }
    }
}
