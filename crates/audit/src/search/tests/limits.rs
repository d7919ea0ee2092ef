use serde_json::{Value, json};

use super::{Fixture, on_both};

on_both!(what_is_not_supported_is_named, bombs_are_refused);

#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_not_supported_is_named(fixture: &Fixture) {
    for (body, kind, named) in [
        (json!({ "query": { "span_near": {} } }), "parsing_exception", "unknown query [span_near]"),
        (
            json!({ "query": { "term": { "action": "x", "outcome": "y" } } }),
            "parsing_exception",
            "[action] and [outcome]",
        ),
        (
            json!({ "query": { "term": { "berth.detail.previous": "x" } } }),
            "query_shard_exception",
            "[berth.detail.previous]",
        ),
        (
            json!({ "query": { "match": { "action": { "query": "x", "fuzziness": "AUTO" } } } }),
            "parsing_exception",
            "[fuzziness]",
        ),
        (
            json!({ "query": { "range": { "@timestamp": { "gte": "yesterday" } } } }),
            "parse_exception",
            "[yesterday]",
        ),
        (
            json!({ "query": { "range": { "source.ip": { "gte": "10.0.0.0" } } } }),
            "illegal_argument_exception",
            "[source.ip]",
        ),
        (
            json!({ "query": { "term": { "source.ip": "somewhere" } } }),
            "query_shard_exception",
            "'somewhere'",
        ),
        (
            json!({ "query": { "term": { "http.response.status_code": "x" } } }),
            "query_shard_exception",
            "\"x\"",
        ),
        (json!({ "query": { "query_string": { "query": "action:/p.*/" } } }), "parsing_exception", "[/p.*/]"),
        (json!({ "query": { "query_string": { "query": "(a" } } }), "parsing_exception", "parenthesis"),
        (json!({ "query": { "query_string": { "query": "a)" } } }), "parsing_exception", "parenthesis"),
        (json!({ "query": { "query_string": { "query": "a AND" } } }), "parsing_exception", "missing"),
        (json!({ "query": [] }), "parsing_exception", "start_object"),
        (json!({ "query": {} }), "illegal_argument_exception", "empty clause"),
        (json!({ "sort": ["no.such"] }), "query_shard_exception", "[no.such]"),
        (json!({ "sort": [{ "message": "asc" }] }), "illegal_argument_exception", "[message]"),
        (
            json!({ "aggs": { "x": { "percentiles": { "field": "@timestamp" } } } }),
            "parsing_exception",
            "[percentiles]",
        ),
        (
            json!({ "aggs": { "x": { "terms": { "field": "action", "include": "p.*" } } } }),
            "parsing_exception",
            "[include]",
        ),
        (
            json!({ "aggs": { "x": { "date_histogram": { "field": "@timestamp", "interval": "1d" } } } }),
            "parsing_exception",
            "[interval]",
        ),
        (json!({ "from": 9_991 }), "illegal_argument_exception", "[10001]"),
        (json!({ "size": -1 }), "illegal_argument_exception", "[size]"),
        (json!({ "search_after": [1] }), "illegal_argument_exception", "Sort must contain"),
        (json!({ "sort": ["_doc"], "search_after": [1, 2] }), "illegal_argument_exception", "2 value(s)"),
    ] {
        let error = fixture.refuse(body.clone()).await;
        assert_eq!((error.kind, error.status), (kind, 400), "{body}: {error}");
        assert!(error.reason.contains(named), "{body}: {error}");
    }
    let error = fixture.refuse(json!({ "query": { "span_near": {} } })).await;
    assert_eq!(
        error.to_json(),
        json!({
            "error": {
                "root_cause": [{ "type": "parsing_exception", "reason": "unknown query [span_near]" }],
                "type": "parsing_exception", "reason": "unknown query [span_near]",
            },
            "status": 400,
        })
    );
}

async fn bombs_are_refused(fixture: &Fixture) {
    let mut deep = json!({ "match_all": {} });
    for _ in 0..30 {
        deep = json!({ "bool": { "must": [deep] } });
    }
    let wide: Vec<Value> =
        (0..600).map(|number| json!({ "term": { "action": number.to_string() } })).collect();
    let many: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let parentheses = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    for (query, kind) in [
        (deep, "too_many_clauses"),
        (json!({ "bool": { "should": wide } }), "too_many_clauses"),
        (json!({ "terms": { "action": many } }), "too_many_clauses"),
        (json!({ "query_string": { "query": parentheses } }), "too_many_clauses"),
        (json!({ "query_string": { "query": "a ".repeat(2_000) } }), "too_many_clauses"),
        (json!({ "match": { "message": "a ".repeat(100) } }), "too_many_clauses"),
        (json!({ "wildcard": { "berth.tag": "*a".repeat(50) } }), "illegal_argument_exception"),
        (json!({ "wildcard": { "berth.tag": "a".repeat(5_000) } }), "illegal_argument_exception"),
    ] {
        assert_eq!(fixture.refuse(json!({ "query": query })).await.kind, kind, "{query}");
    }
    // As many as are allowed are answered.
    let wide: Vec<Value> =
        (0..490).map(|number| json!({ "term": { "action": number.to_string() } })).collect();
    assert_eq!(fixture.ids(json!({ "bool": { "should": wide } })).await, "");
    let many: Vec<String> = (0..4_000).map(|number| number.to_string()).collect();
    assert_eq!(fixture.ids(json!({ "terms": { "action": many } })).await, "");

    let seconds = json!({ "date_histogram": { "field": "@timestamp", "fixed_interval": "1s" } });
    let error = fixture.refuse(json!({ "aggs": { "x": seconds } })).await;
    assert_eq!(error.kind, "too_many_buckets_exception");
    let mut nested = json!({ "x": { "terms": { "field": "action" } } });
    for _ in 0..5 {
        nested = json!({ "x": { "terms": { "field": "action" }, "aggs": nested } });
    }
    assert!(fixture.refuse(json!({ "aggs": nested })).await.reason.contains("deep"));
}
