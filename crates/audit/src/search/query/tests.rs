use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse(query: &Value) -> Result<Query> {
    Parser::new(&Reading::at("2026-11-27T10:00:00Z".parse().unwrap())).parse(query)
}

/// Anything at all, made of words that mean something here.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "bool",
        "must",
        "should",
        "must_not",
        "filter",
        "term",
        "terms",
        "range",
        "gte",
        "lt",
        "prefix",
        "wildcard",
        "exists",
        "field",
        "ids",
        "values",
        "match",
        "query",
        "query_string",
        "simple_query_string",
        "value",
        "minimum_should_match",
        "action",
        "@timestamp",
        "user.name",
        "source.ip",
        "message",
        "http.response.status_code",
        "boost",
        "format",
        "time_zone",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z:*?()\\[\\]{}\"+/|!&<>=\\\\ TO ANDé0-9-]{0,20}".prop_map(Value::from),
        "(now|2026-11-27\\|\\|)([+/-][0-9]{0,3}[yMwdhHms]){0,4}".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word.clone(), inner, 0..3).prop_map(|map| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

proptest! {
    /// Whatever is sent is read or refused, and never the end of the thread.
    #[test]
    fn nothing_breaks_the_reader(name in prop::sample::select(vec!["bool", "term", "terms", "range", "match", "query_string", "simple_query_string", "wildcard", "ids", "exists"]), body in anything()) {
        let _ = parse(&json!({ name: body }));
        let _ = parse(&body);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,64}") {
        let _ = parse(&json!({ "query_string": { "query": text } }));
        let _ = parse(&json!({ "simple_query_string": { "query": text } }));
        let _ = parse(&json!({ "range": { "@timestamp": { "gte": text, "format": text } } }));
        let _ = parse(&json!({ "wildcard": { "berth.tag": text } }));
        let _ = parse(&json!({ "term": { "source.ip": text } }));
    }
}

#[test]
fn clauses_that_must_and_must_not_be_so_are_kept_apart() {
    let query = json!({ "bool": { "must": { "match_all": {} }, "must_not": [{ "match_none": {} }] } });
    assert_eq!(parse(&query).unwrap(), Query::Every(vec![Query::ALL, Query::Not(Box::new(Query::NOTHING))]));
}
