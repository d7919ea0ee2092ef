"""Asks Berth by the clients of Elasticsearch and OpenSearch, and OpenSearch itself, and compares the answers.

usage: compare.py BERTH USER PASSWORD OPENSEARCH INDEX UNTIL
"""

import sys

from elasticsearch import Elasticsearch, BadRequestError, AuthenticationException
from opensearchpy import OpenSearch

berth_url, user, password, engine_url, index, until = sys.argv[1:]
berth = Elasticsearch(berth_url, basic_auth=(user, password))
engine = OpenSearch(engine_url)
also = OpenSearch(berth_url, http_auth=(user, password))

# What is asked leaves records itself: nothing from now on is looked at.
before = {"range": {"@timestamp": {"lt": int(until)}}}


def within(query):
    return {"bool": {"must": [query], "filter": [before]}}


mission = {"bool": {"must": [{"term": {"action": "push"}}, {"range": {"@timestamp": {"gte": "now-1h"}}}]}}
assert berth.info()["tagline"] == "You Know, for Search"
found = berth.search(query=mission, size=100)
assert found["hits"]["total"]["value"] >= 12, found["hits"]["total"]
assert all(hit["_source"]["action"] == "push" for hit in found["hits"]["hits"])

queries = [
    {"match_all": {}},
    mission,
    {"term": {"action": "pull"}},
    {"term": {"event.action": "delete"}},
    {"terms": {"action": ["push", "delete"]}},
    {"term": {"event.outcome": "failure"}},
    {"term": {"user.name": user}},
    {"terms": {"user.name": [user, "anonymous"]}},
    {"prefix": {"user.name": user[:1]}},
    {"term": {"source.ip": "127.0.0.0/8"}},
    {"term": {"source.ip": "10.0.0.0/8"}},
    {"prefix": {"berth.repository": "project-1/"}},
    {"wildcard": {"berth.repository": "*/app-?"}},
    {"wildcard": {"berth.repository": {"value": "PROJECT-0*", "case_insensitive": True}}},
    {"exists": {"field": "berth.tag"}},
    {"exists": {"field": "berth.digest"}},
    {"bool": {"must_not": [{"exists": {"field": "berth.tag"}}]}},
    {"bool": {"must_not": [{"term": {"berth.tag": "v0"}}]}},
    {"bool": {"should": [{"term": {"berth.tag": "v0"}}, {"term": {"berth.tag": "v1"}}]}},
    {"bool": {"filter": [{"term": {"action": "push"}}], "should": [{"term": {"berth.tag": "v0"}}]}},
    {"bool": {"minimum_should_match": 2, "should": [{"term": {"action": "push"}}, {"term": {"berth.tag": "v1"}}, {"term": {"berth.project": "project-0"}}]}},
    {"range": {"@timestamp": {"gte": "now-1h/h", "lt": "now+1d/d"}}},
    {"range": {"@timestamp": {"gt": "now-1d", "lte": "now", "time_zone": "+08:00"}}},
    {"range": {"@timestamp": {"gte": "2020-01-01||+1M/d"}}},
    {"range": {"@timestamp": {"lte": "2020"}}},
    {"range": {"http.response.status_code": {"gte": 200, "lt": 300}}},
    {"range": {"berth.tag": {"gte": "v1"}}},
    {"match": {"berth.repository": "project-0/app-0"}},
    {"query_string": {"query": "action:push AND berth.tag:v1"}},
    {"query_string": {"query": "action:(push OR delete) AND NOT berth.project:project-0"}},
    {"query_string": {"query": "berth.repository:project-1* AND http.response.status_code:[200 TO 299]"}},
    {"constant_score": {"filter": {"term": {"berth.proof": "password"}}}},
    {"match_none": {}},
    {"term": {"no.such.field": "x"}},
]
sort = [{"@timestamp": "asc"}, {"event.sequence": "asc"}]
for query in queries:
    body = {"query": within(query), "size": 1000, "sort": sort, "track_total_hits": True}
    here, there = berth.search(**body), engine.search(index=index, body=body)
    ids = [hit["_id"] for hit in here["hits"]["hits"]]
    assert ids == [hit["_id"] for hit in there["hits"]["hits"]], (query, here, there)
    assert here["hits"]["total"] == there["hits"]["total"], query
    sources = [hit["_source"] for hit in here["hits"]["hits"]]
    assert sources == [hit["_source"] for hit in there["hits"]["hits"]], query
    assert berth.count(query=within(query))["count"] == engine.count(index=index, body={"query": within(query)})["count"]
    unsorted = {"query": within(query), "size": 1000}
    assert {hit["_id"] for hit in berth.search(**unsorted)["hits"]["hits"]} == set(ids), query

aggregations = {
    "actions": {"terms": {"field": "action"}},
    "people": {"terms": {"field": "user.name", "size": 2}},
    "repositories": {"terms": {"field": "berth.repository", "order": {"_key": "asc"}, "size": 3}},
    "statuses": {"terms": {"field": "http.response.status_code"}},
    "hours": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}},
    "minutes": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1m", "min_doc_count": 1, "time_zone": "+05:30"}},
    "days": {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "time_zone": "Asia/Shanghai",
                                "extended_bounds": {"min": "now-3d/d", "max": "now/d"}}},
    "months": {"date_histogram": {"field": "@timestamp", "calendar_interval": "month", "keyed": True, "format": "yyyy-MM"}},
    "repositories_in_all": {"cardinality": {"field": "berth.repository"}},
    "pushes": {"filter": {"term": {"action": "push"}}, "aggs": {"tags": {"terms": {"field": "berth.tag"}}}},
    "projects": {"terms": {"field": "berth.project"}, "aggs": {"actions": {"terms": {"field": "action"}}}},
}
for name, aggregation in aggregations.items():
    body = {"query": before, "size": 0, "aggs": {name: aggregation}, "track_total_hits": True}
    here, there = berth.search(**body), engine.search(index=index, body=body)
    assert here["aggregations"] == there["aggregations"], (name, here["aggregations"], there["aggregations"])
    assert here["hits"]["total"] == there["hits"]["total"], name
    assert also.search(body=body)["aggregations"] == there["aggregations"], name

# Page by page.
ids, after = [], None
while True:
    page = berth.search(query=before, size=7, sort=sort, search_after=after)["hits"]["hits"]
    if not page:
        break
    ids += [hit["_id"] for hit in page]
    after = page[-1]["sort"]
everything = engine.search(index=index, body={"query": before, "size": 10000, "sort": sort})
assert ids == [hit["_id"] for hit in everything["hits"]["hits"]]

page = berth.search(index="berth-*", query=before, source_includes=["berth.repository", "action"], size=3)
assert all(set(hit["_source"]) <= {"action", "berth"} for hit in page["hits"]["hits"])

# As dashboards ask: several at once, and single fields instead of documents.
panel = {"query": within(mission), "size": 0, "aggs": {"who": {"terms": {"field": "user.name"}, "aggs": {"when": aggregations["hours"]}}}}
logs = {"query": before, "size": 5, "sort": sort, "_source": False, "version": True,
        "docvalue_fields": [{"field": "@timestamp", "format": "epoch_millis"}, "action"], "fields": ["user.*", "berth.t*"]}
here = berth.msearch(searches=[{"index": "berth-audit"}, panel, {}, logs])["responses"]
there = engine.msearch(index=index, body=[{}, panel, {}, logs])["responses"]
assert here[0]["aggregations"] == there[0]["aggregations"], (here[0], there[0])
assert [hit["fields"] for hit in here[1]["hits"]["hits"]] == [hit["fields"] for hit in there[1]["hits"]["hits"]], (here[1], there[1])
assert [hit["_version"] for hit in here[1]["hits"]["hits"]] == [1] * 5

try:
    berth.search(query={"span_near": {"clauses": []}})
    raise SystemExit("an unknown query was answered")
except BadRequestError as error:
    assert error.body["error"]["reason"] == "unknown query [span_near]", error.body
try:
    Elasticsearch(berth_url, basic_auth=(user, "wrong")).info()
    raise SystemExit("a wrong password was taken")
except AuthenticationException:
    pass
assert berth.field_caps(fields="action")["fields"]["action"]["keyword"]["aggregatable"]
assert "@timestamp" in berth.indices.get_mapping()["berth-audit"]["mappings"]["properties"]

print(f"{len(queries)} queries and {len(aggregations)} aggregations over {len(ids)} records: all queries are answered alike")
