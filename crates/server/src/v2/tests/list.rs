use super::*;

#[tokio::test]
async fn tags_come_in_pages_and_in_byte_order() {
    let server = Server::open();
    for tag in ["b", "a", "B", "1.10", "1.9", "_x"] {
        server.push_image("a/b", tag, &json!({})).await;
    }
    let reply = server.get("/v2/a/b/tags/list").await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.json(), json!({ "name": "a/b", "tags": ["1.10", "1.9", "B", "_x", "a", "b"] }));
    assert_eq!(reply.next(), None);

    let reply = server.get("/v2/a/b/tags/list?n=4").await.expect(200);
    assert_eq!(reply.json()["tags"], json!(["1.10", "1.9", "B", "_x"]));
    assert_eq!(reply.next().unwrap(), "/v2/a/b/tags/list?n=4&last=_x");
    let reply = server.get(reply.next().unwrap()).await.expect(200);
    assert_eq!((reply.json()["tags"].clone(), reply.next()), (json!(["a", "b"]), None));

    let reply = server.get("/v2/a/b/tags/list?last=B").await.expect(200);
    assert_eq!(reply.json()["tags"], json!(["_x", "a", "b"]));
    let reply = server.get("/v2/a/b/tags/list?last=no%20such/tag").await.expect(200);
    assert_eq!(reply.json()["tags"], json!([]));
    for target in ["/v2/a/b/tags/list?n=0", "/v2/a/b/tags/list?last=zzz"] {
        let reply = server.get(target).await.expect(200);
        assert_eq!((reply.json()["tags"].clone(), reply.next()), (json!([]), None), "{target}");
    }
    let head = server.ask("HEAD", "/v2/a/b/tags/list").send().await.expect(200);
    assert!(head.body.is_empty() && head.header("content-length") != "0");
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_no_list() {
    let server = Server::open();
    server.get("/v2/a/tags/list").await.refused(404, "NAME_UNKNOWN");
    server.get("/v2/a/tags/list?n=0").await.refused(404, "NAME_UNKNOWN");
    server.get("/v2/a/tags/list?n=-1").await.refused(400, "UNSUPPORTED");
}

#[tokio::test]
async fn repositories_come_in_pages_and_in_byte_order() {
    let mut config = Config::default();
    config.limits.tags_page = 3;
    let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
    let server = Server::new(config, &access);
    assert_eq!(server.get("/v2/_catalog").await.expect(200).json(), json!({ "repositories": [] }));
    for name in ["b", "a/b", "a-b", "a", "c/d"] {
        server.push_image(name, "v1", &json!({})).await;
    }
    for (n, first) in [("", 3), ("?n=2", 2), ("?n=100", 3)] {
        let mut reply = server.get(format!("/v2/_catalog{n}")).await.expect(200);
        let mut names = Vec::new();
        assert_eq!(reply.json()["repositories"].as_array().unwrap().len(), first);
        loop {
            names.extend(reply.json()["repositories"].as_array().unwrap().clone());
            let Some(next) = reply.next() else { break };
            reply = server.get(next).await.expect(200);
        }
        assert_eq!(json!(names), json!(["a", "a-b", "a/b", "b", "c/d"]));
    }
    let reply = server.get("/v2/_catalog?n=0").await.expect(200);
    assert_eq!((reply.json(), reply.next()), (json!({ "repositories": [] }), None));
    let reply = server.ask("GET", "/v2/_catalog?n=3").prefix("/x").send().await;
    assert_eq!(reply.next().unwrap(), "/x/v2/_catalog?n=3&last=a%2Fb");
}
