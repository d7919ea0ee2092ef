use serde_json::{Value, json};

use super::{Fixture, on_both};

on_both!(
    the_mission_s_query_finds_the_pushes_of_the_last_hour,
    each_query_finds_its_records,
    what_is_not_there_is_not_a_value,
    names_lead_to_persons,
    words_say_the_same,
);

async fn the_mission_s_query_finds_the_pushes_of_the_last_hour(fixture: &Fixture) {
    let query = r#"{"query":{"bool":{"must":[{"term":{"action":"push"}},{"range":{"@timestamp":{"gte":"now-1h"}}}]}}}"#;
    let answer = fixture.ask(serde_json::from_str(query).unwrap()).await;
    assert_eq!(super::ids(&answer), "ef");
    assert_eq!(answer["hits"]["total"], json!({ "value": 2, "relation": "eq" }));
    assert_eq!(answer["timed_out"], false);
    assert_eq!(answer["_shards"]["failed"], 0);
    let hit = &answer["hits"]["hits"][0];
    assert_eq!(hit["_index"], "berth-audit");
    let expected = json!({
        "@timestamp": "2026-11-27T09:00:00.000000Z",
        "action": "push",
        "message": "alice push app/web:v2 success",
        "ecs": { "version": "8.17.0" },
        "event": { "action": "push", "outcome": "success", "kind": "event", "dataset": "berth.audit", "id": "e", "sequence": 5 },
        "user": { "id": "person-one", "name": "alice" },
        "source": { "ip": "10.1.2.3" },
        "user_agent": { "original": "docker/27.e 100%_[x]" },
        "http": { "request": { "id": "request-e" }, "response": { "status_code": 200 } },
        "berth": {
            "identity": "user", "proof": "password", "project": "app", "repository": "app/web", "tag": "v2",
            "detail": { "previous": "none", "person": "person-two", "person_name": "bob" },
        },
    });
    assert_eq!(hit["_source"], expected);
}

#[expect(clippy::too_many_lines, reason = "a table")]
async fn each_query_finds_its_records(fixture: &Fixture) {
    let all: &[(Value, &str)] = &[
        (json!({ "match_all": {} }), "abcdefgh"),
        (json!({ "match_none": {} }), ""),
        (json!({ "term": { "event.action": { "value": "pull" } } }), "bh"),
        (json!({ "term": { "action.keyword": "pull" } }), "bh"),
        (json!({ "term": { "action": { "value": "PULL", "case_insensitive": true } } }), "bh"),
        (json!({ "term": { "action": "PULL" } }), ""),
        (json!({ "term": { "http.response.status_code": 401 } }), "g"),
        (json!({ "term": { "http.response.status_code": "401" } }), "g"),
        (json!({ "term": { "http.response.status_code": 401.5 } }), ""),
        (json!({ "term": { "event.kind": "event" } }), "abcdefgh"),
        (json!({ "term": { "event.kind": "alert" } }), ""),
        (json!({ "term": { "no.such.field": "x" } }), ""),
        (json!({ "term": { "@timestamp": "2026-11-26" } }), "c"),
        (json!({ "term": { "berth.tag": "Ünï" } }), "h"),
        (json!({ "terms": { "berth.tag": ["v1", "1.27"], "boost": 1.0 } }), "cdf"),
        (json!({ "terms": { "action": [] } }), ""),
        (json!({ "range": { "@timestamp": { "gte": "now-1h", "lt": "now" } } }), "efg"),
        (json!({ "range": { "@timestamp": { "gt": "2026-11-26" } } }), "defgh"),
        (json!({ "range": { "@timestamp": { "lte": "2026-11-25" } } }), "ab"),
        (json!({ "range": { "@timestamp": { "gte": "2026-10", "lt": "now/d" } } }), "bc"),
        (
            json!({ "range": { "@timestamp": { "gte": "2026-10-01", "lte": "2026-10-01", "time_zone": "+08:00" } } }),
            "a",
        ),
        (
            json!({ "range": { "@timestamp": { "lte": "2026-11-27T09:30:00.000Z", "gte": "2026-11-27T09:30:00.000Z" } } }),
            "fg",
        ),
        (
            json!({ "range": { "@timestamp": { "gte": "26.11.2026", "lte": "26.11.2026", "format": "dd.MM.yyyy" } } }),
            "c",
        ),
        (json!({ "range": { "http.response.status_code": { "gte": 400, "lt": 500 } } }), "g"),
        (json!({ "range": { "http.response.status_code": { "gt": 200.5 } } }), "g"),
        (json!({ "range": { "berth.tag": { "gte": "1.27", "lt": "v2" } } }), "cdf"),
        (json!({ "range": { "event.sequence": { "lte": 2 } } }), "ab"),
        (json!({ "prefix": { "berth.repository": "app/" } }), "def"),
        (json!({ "prefix": { "berth.repository": { "value": "APP", "case_insensitive": true } } }), "defh"),
        (json!({ "prefix": { "user_agent.original": "docker/27.e 100%_[" } }), "e"),
        (json!({ "wildcard": { "berth.repository": "*/n?inx" } }), "abc"),
        (
            json!({ "wildcard": { "berth.repository": { "wildcard": "APP*", "case_insensitive": true } } }),
            "defh",
        ),
        (json!({ "wildcard": { "berth.repository": "APP*" } }), ""),
        (json!({ "wildcard": { "user_agent.original": "*27.e*%_[x]" } }), "e"),
        (json!({ "wildcard": { "user_agent.original": "*\\*" } }), ""),
        (json!({ "exists": { "field": "berth.repository" } }), "abcdefh"),
        (json!({ "exists": { "field": "no.such" } }), ""),
        (json!({ "exists": { "field": "user.name" } }), "abcdefgh"),
        (json!({ "ids": { "values": ["b", "x", "h"] } }), "bh"),
        (json!({ "match": { "berth.repository": "app/web" } }), "de"),
        (json!({ "constant_score": { "filter": { "term": { "action": "login" } } } }), "g"),
        (json!({ "term": { "source.ip": "10.1.2.3" } }), "de"),
        (json!({ "term": { "source.ip": "10.1.2.0/24" } }), "deg"),
        (json!({ "terms": { "source.ip": ["192.0.2.128/25", "2001:db8::/32"] } }), "bc"),
        (json!({ "bool": {} }), "abcdefgh"),
        (
            json!({ "bool": { "should": [{ "term": { "action": "login" } }, { "term": { "action": "pull" } }] } }),
            "bgh",
        ),
        (
            json!({ "bool": { "filter": { "term": { "action": "push" } }, "should": [{ "term": { "berth.tag": "v1" } }] } }),
            "acdef",
        ),
        (json!({ "bool": { "must": [], "should": [{ "term": { "berth.tag": "v1" } }] } }), "df"),
        (
            json!({ "bool": { "filter": { "term": { "action": "push" } }, "should": [{ "term": { "berth.tag": "v1" } }], "minimum_should_match": 1 } }),
            "df",
        ),
        (
            json!({ "bool": { "minimum_should_match": 2, "should": [
            { "term": { "action": "push" } }, { "term": { "berth.project": "app" } }, { "term": { "berth.tag": "v1" } }] } }),
            "def",
        ),
        (
            json!({ "bool": { "minimum_should_match": "-1", "should": [
            { "term": { "action": "push" } }, { "term": { "berth.tag": "v1" } }] } }),
            "acdef",
        ),
    ];
    for (query, expected) in all {
        assert_eq!(fixture.ids(query.clone()).await, *expected, "{query}");
        let count = fixture.search.count(&json!({ "query": query }), &[]).await.unwrap();
        assert_eq!(count["count"], expected.len(), "{query}");
    }
}

/// A record without a tag is not one with the tag, also where that is turned around; so is one whose person was erased.
async fn what_is_not_there_is_not_a_value(fixture: &Fixture) {
    for (query, expected) in [
        (json!({ "term": { "berth.tag": "v1" } }), "abcegh"),
        (json!({ "range": { "berth.tag": { "gte": "" } } }), "g"),
        (json!({ "exists": { "field": "berth.tag" } }), "g"),
        (json!({ "term": { "source.ip": "10.0.0.0/8" } }), "abch"),
        (json!({ "wildcard": { "berth.tag": "*" } }), "g"),
        (json!({ "prefix": { "user_agent.original": "docker" } }), "h"),
        (json!({ "bool": { "must_not": { "term": { "berth.tag": "v1" } } } }), "df"),
        (
            json!({ "bool": { "should": [{ "term": { "berth.tag": "v1" } }, { "term": { "berth.tag": "v2" } }] } }),
            "abcgh",
        ),
        (json!({ "match_all": {} }), ""),
        (json!({ "match_none": {} }), "abcdefgh"),
    ] {
        let query = json!({ "bool": { "must_not": [query] } });
        assert_eq!(fixture.ids(query.clone()).await, expected, "{query}");
    }
}

async fn names_lead_to_persons(fixture: &Fixture) {
    for (query, expected) in [
        (json!({ "term": { "user.name": "alice" } }), "ade"),
        (json!({ "term": { "user.id": "person-one" } }), "ade"),
        (json!({ "term": { "user.name": "robot+ci" } }), "ch"),
        (json!({ "terms": { "user.name": ["bob", "robot+ci", "nobody"] } }), "bcfgh"),
        (json!({ "prefix": { "user.name": "ali" } }), "ade"),
        (json!({ "wildcard": { "user.name": "*o*" } }), "bcfgh"),
        // Nobody's name begins as the pseudonyms do.
        (json!({ "prefix": { "user.name": "person-" } }), ""),
        (json!({ "bool": { "must_not": { "term": { "user.name": "alice" } } } }), "bcfgh"),
        (json!({ "match": { "message": "alice" } }), "ade"),
    ] {
        assert_eq!(fixture.ids(query.clone()).await, expected, "{query}");
    }
    // Of whom a record tells is named, too.
    let one = fixture.ask(json!({ "query": { "term": { "user.name": "robot+ci" } }, "size": 1 })).await;
    assert_eq!(one["hits"]["hits"][0]["_source"]["berth"]["detail"]["person_name"], "bob", "{one}");
}

async fn words_say_the_same(fixture: &Fixture) {
    for (text, expected) in [
        ("*", "abcdefgh"),
        ("*:*", "abcdefgh"),
        ("action:push", "acdef"),
        ("action:push AND berth.tag:v1", "df"),
        ("action:push AND NOT user.name:alice", "cf"),
        ("action:pull OR action:login", "bgh"),
        ("action:(pull OR login)", "bgh"),
        ("+action:push -berth.project:app", "ac"),
        ("@timestamp:[now-1h TO now]", "efgh"),
        ("@timestamp:{2026-11-26 TO *]", "defgh"),
        ("http.response.status_code:>=400", "g"),
        ("berth.repository:app*", "def"),
        ("berth.tag:*", "abcdefh"),
        ("_exists_:berth.tag", "abcdefh"),
        ("user.name:\"alice\"", "ade"),
        ("nginx 1.27", "abc"),
        ("nginx AND 1.27", "c"),
        ("(nginx AND 1.27) OR login", "cg"),
    ] {
        let query = json!({ "query_string": { "query": text } });
        assert_eq!(fixture.ids(query).await, expected, "{text}");
    }
    let simple = |text: &str, operator: &str| json!({ "simple_query_string": { "query": text, "default_operator": operator } });
    assert_eq!(fixture.ids(simple("nginx -1.26", "and")).await, "c");
    assert_eq!(fixture.ids(simple("login | \"1.27\"", "or")).await, "cg");
    assert_eq!(
        fixture.ids(json!({ "match": { "message": { "query": "Nginx push", "operator": "and" } } })).await,
        "ac"
    );
}
