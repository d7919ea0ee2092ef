use serde_json::{Value, json};

use super::{Fixture, ids, on_both};

on_both!(
    pages_follow_each_other,
    orders_are_those_of_elasticsearch,
    parameters_say_the_same,
    totals_are_capped
);

/// Follows pages to their end.
async fn all_pages(fixture: &Fixture, sort: &Value) -> String {
    let (mut found, mut after) = (String::new(), Value::Null);
    loop {
        let mut body = json!({ "size": 3, "sort": sort });
        if !after.is_null() {
            body["search_after"] = after;
        }
        let answer = fixture.ask(body).await;
        let Some(last) = answer["hits"]["hits"].as_array().unwrap().last() else { return found };
        found.push_str(&ids(&answer));
        after = last["sort"].clone();
    }
}

async fn pages_follow_each_other(fixture: &Fixture) {
    for (sort, expected) in [
        (json!([{ "@timestamp": "asc" }]), "abcdefgh"),
        (json!([{ "@timestamp": { "order": "desc" } }]), "hgfedcba"),
        (json!(["_doc"]), "abcdefgh"),
        (json!([{ "action": "asc" }, { "@timestamp": "desc" }]), "ghbfedca"),
        // Those without a tag come last, either way.
        (json!([{ "berth.tag": "asc" }, "_doc"]), "abcdfehg"),
        (json!([{ "berth.tag": "desc" }, { "_doc": "desc" }]), "hefdcbag"),
        (json!([{ "http.response.status_code": "desc" }, { "event.id": "desc" }]), "gfedcbah"),
    ] {
        assert_eq!(all_pages(fixture, &sort).await, expected, "{sort}");
    }
    let page = fixture.ask(json!({ "from": 6, "size": 5 })).await;
    assert_eq!(ids(&page), "gh");
    assert_eq!(page["hits"]["total"]["value"], 8);
}

async fn orders_are_those_of_elasticsearch(fixture: &Fixture) {
    let answer = fixture.ask(json!({ "sort": [{ "@timestamp": "desc" }, "berth.tag"], "size": 2 })).await;
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits[0]["sort"], json!([1_795_773_600_000_i64, "Ünï"]));
    // A moment between two milliseconds keeps its place.
    assert_eq!(hits[1]["sort"], json!([1_795_771_800_000.75, null]));
    assert_eq!(hits[0]["_score"], Value::Null);
    let formatted = json!({ "sort": [{ "@timestamp": { "order": "asc", "format": "strict_date_optional_time" } }], "size": 1 });
    assert_eq!(fixture.ask(formatted).await["hits"]["hits"][0]["sort"], json!(["2026-09-30T23:59:59.999Z"]));
}

async fn parameters_say_the_same(fixture: &Fixture) {
    let parameters: Vec<(String, String)> = [
        ("q", "action:push"),
        ("sort", "@timestamp:desc"),
        ("size", "2"),
        ("_source_includes", "berth.tag,action"),
        ("track_total_hits", "true"),
        ("rest_total_hits_as_int", "true"),
        ("pretty", ""),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let answer = fixture.search.search(&Value::Null, &parameters).await.unwrap();
    assert_eq!(ids(&answer), "fe");
    assert_eq!(answer["hits"]["total"], 5);
    assert_eq!(answer["hits"]["hits"][0]["_source"], json!({ "action": "push", "berth": { "tag": "v1" } }));
    let error = fixture.search.search(&Value::Null, &[("scroll".into(), "1m".into())]).await.unwrap_err();
    assert!(error.reason.contains("[scroll]"), "{error}");
}

async fn totals_are_capped(fixture: &Fixture) {
    let total = async |track: Value, size: u64| {
        fixture.ask(json!({ "track_total_hits": track, "size": size })).await["hits"]["total"].clone()
    };
    assert_eq!(total(json!(5), 0).await, json!({ "value": 5, "relation": "gte" }));
    assert_eq!(total(json!(8), 0).await, json!({ "value": 8, "relation": "eq" }));
    assert_eq!(total(json!(5), 100).await, json!({ "value": 5, "relation": "gte" }));
    assert_eq!(total(json!(true), 3).await, json!({ "value": 8, "relation": "eq" }));
    assert_eq!(total(json!(false), 3).await, Value::Null);
}
