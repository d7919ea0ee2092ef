//! What dashboards send: several searches at once, and single fields beside documents.

use serde_json::{Value, json};

use super::{Fixture, ids, on_both};

on_both!(several_are_answered_in_one, fields_are_shown_in_lists, what_says_nothing_is_taken);

async fn several_are_answered_in_one(fixture: &Fixture) {
    let is_index = |name: &str| name == "berth-audit";
    let range = json!({ "range": { "@timestamp": { "gte": 0, "lte": "now", "format": "epoch_millis" } } });
    let any = json!({ "query_string": { "analyze_wildcard": true, "query": "*" } });
    let buckets = json!({ "date_histogram": { "field": "@timestamp", "fixed_interval": "1d", "min_doc_count": 0, "format": "epoch_millis" } });
    let panel = json!({
        "size": 0,
        "query": { "bool": { "filter": [range, any] } },
        "aggs": { "3": { "terms": { "field": "action", "size": 10, "order": { "_key": "desc" } }, "aggs": { "2": buckets } } },
    });
    let where_to =
        json!({ "search_type": "query_then_fetch", "ignore_unavailable": true, "index": "berth-audit" });
    let text = format!(
        "{where_to}\n{panel}\n{{}}\n{}\n{}\n{{}}\n\n{}\n",
        json!({ "query": { "span_near": {} } }),
        json!({ "index": ["elsewhere"] }),
        json!({ "size": 1, "track_total_hits": true })
    );
    let parameters = [("max_concurrent_shard_requests".to_owned(), "5".to_owned())];
    let answer = fixture.search.many(&text, &parameters, is_index).await.unwrap();
    let responses = answer["responses"].as_array().unwrap();
    let statuses: Vec<_> = responses.iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 404, 200]);
    let counts = responses[0]["aggregations"]["3"]["buckets"].as_array().unwrap().iter();
    assert_eq!(counts.map(|one| one["doc_count"].as_u64().unwrap()).sum::<u64>(), 8);
    assert_eq!(responses[1]["error"]["reason"], "unknown query [span_near]");
    assert_eq!(responses[2]["error"]["reason"], "no such index [elsewhere]");
    assert_eq!(responses[3]["hits"]["total"]["value"], 8);
    for (text, reason) in [("", "two lines"), ("{}\n", "two lines"), (&"{}\n{}\n".repeat(33), "may have 32")]
    {
        let error = fixture.search.many(text, &[], is_index).await.unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
    }
    let odd = fixture.search.many("{\"scroll\":\"1m\"}\n{}\n", &[], is_index).await.unwrap();
    assert!(odd["responses"][0]["error"]["reason"].as_str().unwrap().contains("[scroll]"), "{odd}");
}

async fn fields_are_shown_in_lists(fixture: &Fixture) {
    let body = json!({
        "size": 1,
        "sort": [{ "@timestamp": "asc" }],
        "fields": ["action", { "field": "user.*", "include_unmapped": true }],
        "docvalue_fields": [{ "field": "@timestamp", "format": "epoch_millis" }],
        "_source": false,
    });
    let answer = fixture.ask(body).await;
    let hit = &answer["hits"]["hits"][0];
    assert!(hit.get("_source").is_none(), "{hit}");
    let fields = hit["fields"].as_object().unwrap();
    assert!(fields["action"][0].is_string() && fields["user.id"][0].is_string(), "{hit}");
    assert!(fields["@timestamp"][0].as_str().unwrap().parse::<i64>().is_ok(), "{hit}");
    assert!(fields.keys().all(|name| name == "action" || name == "@timestamp" || name.starts_with("user.")));
    assert_eq!(ids(&answer), "a");
}

/// What Kibana's and Grafana's logs add to each search.
async fn what_says_nothing_is_taken(fixture: &Fixture) {
    let body = |more: Value| {
        let mut body = json!({ "size": 1 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let quiet = json!({
        "stored_fields": ["*"], "script_fields": {}, "runtime_mappings": {}, "version": true,
        "highlight": { "fields": { "*": {} }, "pre_tags": ["<"], "post_tags": [">"] },
    });
    let answer = fixture.ask(body(quiet)).await;
    let hit = &answer["hits"]["hits"][0];
    assert!(hit["_version"] == 1 && hit.get("_source").is_none() && hit.get("fields").is_none(), "{hit}");
    for (more, named) in [
        (json!({ "script_fields": { "x": {} } }), "[script_fields]"),
        (json!({ "runtime_mappings": { "x": {} } }), "[runtime_mappings]"),
        (json!({ "fields": "action" }), "[fields]"),
        (json!({ "fields": [{ "field": "action", "x": 1 }] }), "[x]"),
        (json!({ "docvalue_fields": [7] }), "[docvalue_fields]"),
        (json!({ "collapse": { "field": "action" } }), "[collapse]"),
    ] {
        let error = fixture.refuse(body(more)).await;
        assert!(error.reason.contains(named), "{error}");
    }
}
