//! Answers in Elasticsearch's shapes.

use std::collections::BTreeMap;

use berth_catalog::trail::search::Value as Key;
use serde_json::{Map, Value, json};

use super::aggregation::{Aggregation, Named};
use super::document::{INDEX, document};
use super::error::{Error, Result};
use super::plan::{Bucket, Found, Outcome};
use super::query::Query;
use super::request::Request;

/// The names of persons by their pseudonyms.
type Names = BTreeMap<String, String>;

/// What answers say of the parts of an index.
pub(super) fn shards() -> Value {
    json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 })
}

/// Writes the answer to a search.
pub(super) fn search(request: &Request, found: &Found, names: &Names) -> Value {
    let hits: Vec<Value> = found
        .records
        .iter()
        .map(|record| {
            let score = if request.order.is_named() { Value::Null } else { json!(1.0) };
            let mut hit = json!({ "_index": INDEX, "_id": record.entry.id, "_score": score });
            let document = document(record, names);
            if request.shows_version {
                hit["_version"] = json!(1);
            }
            if let Some(fields) = request.shown.of(&document, record) {
                hit["fields"] = fields;
            }
            if let Some(source) = request.source.of(document) {
                hit["_source"] = source;
            }
            if request.order.is_named() {
                hit["sort"] = request.order.values(record).into();
            }
            hit
        })
        .collect();
    let best = if hits.is_empty() || request.order.is_named() { Value::Null } else { json!(1.0) };
    let mut all = json!({ "max_score": best, "hits": hits });
    if let Some(total) = found.total {
        all["total"] = if request.is_total_bare {
            json!(total.count)
        } else {
            json!({ "value": total.count, "relation": if total.is_bound { "gte" } else { "eq" } })
        };
    }
    let mut answer = json!({ "took": 0, "timed_out": false, "_shards": shards(), "hits": all });
    if !request.aggregations.is_empty() {
        answer["aggregations"] = aggregations(request, &request.aggregations, &found.results, names);
    }
    answer
}

/// Returns why a search was not answered, if it asked for too much.
pub(super) fn refused(found: &Found) -> Result<()> {
    found.refused.clone().map_or(Ok(()), Err::<(), Error>)
}

fn name_of<'n>(actor: &'n str, names: &'n Names) -> &'n str {
    names.get(actor).map_or(actor, String::as_str)
}

fn aggregations(request: &Request, asked: &[Named<Query>], results: &[Outcome], names: &Names) -> Value {
    let mut all = Map::new();
    for (asked, outcome) in asked.iter().zip(results) {
        let (kind, mut value) = one(request, asked, outcome, names);
        if let Some(meta) = &asked.meta {
            value["meta"] = meta.clone();
        }
        let name = if request.types_keys { format!("{kind}#{}", asked.name) } else { asked.name.clone() };
        all.insert(name, value);
    }
    all.into()
}

fn one(request: &Request, asked: &Named<Query>, outcome: &Outcome, names: &Names) -> (&'static str, Value) {
    let bucket = |bucket: &Bucket, mut value: Value| {
        value["doc_count"] = json!(bucket.count);
        if let Value::Object(below) = aggregations(request, &asked.below, &bucket.below, names)
            && let Value::Object(value) = &mut value
        {
            value.extend(below);
        }
        value
    };
    match (outcome, &asked.what) {
        (Outcome::Terms { buckets, other, of_people }, _) => {
            let mut kind = "sterms";
            let buckets: Vec<Value> = buckets
                .iter()
                .map(|one| {
                    let key = match &one.key {
                        Key::Int(number) => {
                            kind = "lterms";
                            json!(number)
                        }
                        Key::Text(text) if *of_people => json!(name_of(text, names)),
                        Key::Text(text) => json!(text),
                    };
                    bucket(one, json!({ "key": key }))
                })
                .collect();
            let value =
                json!({ "doc_count_error_upper_bound": 0, "sum_other_doc_count": other, "buckets": buckets });
            (kind, value)
        }
        (Outcome::Histogram(buckets), Aggregation::Histogram(histogram)) => {
            let buckets = buckets.iter().map(|one| {
                let at = if let Key::Int(at) = one.key { at } else { 0 };
                let text = histogram.text(at);
                (text.clone(), bucket(one, json!({ "key_as_string": text, "key": at.div_euclid(1_000) })))
            });
            let value = if histogram.is_keyed {
                json!({ "buckets": buckets.collect::<Map<_, _>>() })
            } else {
                json!({ "buckets": buckets.map(|(_, bucket)| bucket).collect::<Vec<_>>() })
            };
            ("date_histogram", value)
        }
        (Outcome::Cardinality(count), _) => ("cardinality", json!({ "value": count })),
        (Outcome::Filter(one), _) => ("filter", bucket(one, json!({}))),
        (Outcome::Histogram(_), _) => ("date_histogram", json!({ "buckets": [] })),
    }
}
