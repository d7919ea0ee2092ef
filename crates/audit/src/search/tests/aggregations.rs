use serde_json::json;

use super::{Fixture, on_both};

on_both!(terms_are_counted, time_is_parted, aggregations_lie_in_aggregations);

async fn terms_are_counted(fixture: &Fixture) {
    let answer = fixture
        .ask(json!({ "size": 0, "aggs": {
            "actions": { "terms": { "field": "action", "size": 2 }, "meta": { "of": "all" } },
            "by_key": { "terms": { "field": "action", "order": { "_key": "desc" }, "min_doc_count": 2 } },
            "people": { "terms": { "field": "user.name" } },
            "statuses": { "terms": { "field": "http.response.status_code" } },
            "addresses": { "cardinality": { "field": "source.ip" } },
            "nothing": { "terms": { "field": "no.such" } },
        } }))
        .await;
    assert_eq!(answer["hits"]["hits"], json!([]));
    assert_eq!(answer["hits"]["total"]["value"], 8);
    let all = &answer["aggregations"];
    assert_eq!(
        all["actions"],
        json!({
            "meta": { "of": "all" }, "doc_count_error_upper_bound": 0, "sum_other_doc_count": 1,
            "buckets": [{ "key": "push", "doc_count": 5 }, { "key": "pull", "doc_count": 2 }],
        })
    );
    assert_eq!(
        all["by_key"]["buckets"],
        json!([{ "key": "push", "doc_count": 5 }, { "key": "pull", "doc_count": 2 }])
    );
    assert_eq!(
        all["people"]["buckets"],
        json!([{ "key": "alice", "doc_count": 3 }, { "key": "bob", "doc_count": 3 }, { "key": "robot+ci", "doc_count": 2 }])
    );
    assert_eq!(
        all["statuses"]["buckets"],
        json!([{ "key": 200, "doc_count": 6 }, { "key": 401, "doc_count": 1 }])
    );
    assert_eq!(all["addresses"], json!({ "value": 6 }));
    assert_eq!(all["nothing"]["buckets"], json!([]));
}

async fn time_is_parted(fixture: &Fixture) {
    let day = 86_400_000_i64;
    let first = 1_795_564_800_000_i64;
    let answer = fixture
        .ask(json!({ "size": 0, "query": { "range": { "@timestamp": { "gte": "2026-11-25" } } }, "aggs": {
            "days": { "date_histogram": { "field": "@timestamp", "calendar_interval": "day",
                "extended_bounds": { "min": "2026-11-24", "max": "2026-11-27" } } },
            "busy": { "date_histogram": { "field": "@timestamp", "fixed_interval": "1h", "min_doc_count": 2, "format": "HH:mm" } },
            "months": { "date_histogram": { "field": "@timestamp", "calendar_interval": "month", "time_zone": "Asia/Shanghai", "keyed": true } },
        } }))
        .await;
    let all = &answer["aggregations"];
    let bucket = |days: i64, text: &str, count: u64| json!({ "key": first + days * day, "key_as_string": text, "doc_count": count });
    assert_eq!(
        all["days"]["buckets"],
        json!([
            bucket(-1, "2026-11-24T00:00:00.000Z", 0),
            bucket(0, "2026-11-25T00:00:00.000Z", 1),
            bucket(1, "2026-11-26T00:00:00.000Z", 1),
            bucket(2, "2026-11-27T00:00:00.000Z", 5),
        ])
    );
    let busy = &all["busy"]["buckets"];
    assert_eq!(busy.as_array().unwrap().len(), 1, "{busy}");
    assert_eq!((&busy[0]["key_as_string"], &busy[0]["doc_count"]), (&json!("09:00"), &json!(3)));
    let month = &all["months"]["buckets"]["2026-11-01T00:00:00.000+08:00"];
    assert_eq!(month["doc_count"], 7);
    assert_eq!(month["key"], 1_793_462_400_000_i64);
}

async fn aggregations_lie_in_aggregations(fixture: &Fixture) {
    let body = json!({ "size": 0, "aggs": {
        "app": { "filter": { "term": { "berth.project": "app" } }, "aggs": {
            "tags": { "terms": { "field": "berth.tag" }, "aggs": {
                "people": { "cardinality": { "field": "user.name" } },
            } },
        } },
        "hours": { "date_histogram": { "field": "@timestamp", "fixed_interval": "1d", "min_doc_count": 1 }, "aggs": {
            "actions": { "terms": { "field": "action" } },
        } },
    } });
    let answer = fixture.ask(body.clone()).await;
    let app = &answer["aggregations"]["app"];
    assert_eq!(app["doc_count"], 3);
    assert_eq!(
        app["tags"]["buckets"],
        json!([
            { "key": "v1", "doc_count": 2, "people": { "value": 2 } },
            { "key": "v2", "doc_count": 1, "people": { "value": 1 } },
        ])
    );
    let hours = answer["aggregations"]["hours"]["buckets"].as_array().unwrap();
    assert_eq!(hours.len(), 4);
    assert_eq!(hours[3]["actions"]["buckets"][0], json!({ "key": "push", "doc_count": 3 }));
    // Clients of some languages are told the types.
    let typed = fixture.search.search(&body, &[("typed_keys".into(), "true".into())]).await.unwrap();
    assert_eq!(
        typed["aggregations"]["filter#app"]["sterms#tags"]["buckets"][0]["cardinality#people"]["value"],
        2
    );
}
