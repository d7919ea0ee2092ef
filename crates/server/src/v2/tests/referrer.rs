use super::*;

/// Pushes an image, and what refers to it; returns the image's digest and those of the others, in order.
async fn referred(server: &Server, kinds: &[(&str, usize)]) -> (Digest, Vec<String>) {
    let (subject, content) = server.push_image("a", "v1", &json!({})).await;
    let descriptor =
        json!({ "mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": content.len() });
    let mut digests = Vec::new();
    for (i, (kind, padding)) in kinds.iter().enumerate() {
        let annotations = json!({ "i": i.to_string(), "padding": "x".repeat(*padding) });
        let more = json!({ "subject": descriptor, "artifactType": kind, "annotations": annotations });
        digests.push(server.push_image("a", "", &more).await.0.to_string());
    }
    digests.sort();
    (subject, digests)
}

fn listed(reply: &Reply) -> Vec<String> {
    let index = reply.json();
    assert_eq!(reply.header("content-type"), media_type::OCI_INDEX);
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(media_type::OCI_INDEX)));
    index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["digest"].as_str().unwrap().to_owned())
        .collect()
}

/// Follows the links from `target` on.
async fn follow(server: &Server, target: &str) -> (Vec<String>, usize) {
    let (mut target, mut digests, mut pages) = (Some(target.to_owned()), Vec::new(), 0);
    while let Some(page) = target {
        let reply = server.get(page).await.expect(200);
        assert!(reply.body.len() <= 20_000 || listed(&reply).len() == 1);
        digests.extend(listed(&reply));
        (target, pages) = (reply.next(), pages + 1);
    }
    (digests, pages)
}

#[tokio::test]
async fn nothing_refers_to_what_is_not_there() {
    let server = Server::open();
    let digest = Digest::of(Algorithm::Sha256, b"x");
    assert!(listed(&server.get(format!("/v2/a/referrers/{digest}")).await.expect(200)).is_empty());
    server.push_blob("a", b"x").await;
    assert!(listed(&server.get(format!("/v2/a/referrers/{digest}")).await.expect(200)).is_empty());
    server.get("/v2/a/referrers/sha256:x").await.refused(400, "DIGEST_INVALID");
    server.get("/v2/a/referrers/latest").await.refused(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn referrers_are_described_and_filtered() {
    let server = Server::open();
    let (subject, digests) = referred(&server, &[("x/sbom+json", 1), ("x/signature", 1)]).await;
    let reply = server.get(format!("/v2/a/referrers/{subject}")).await.expect(200);
    assert_eq!(listed(&reply), digests);
    assert!(reply.headers.get("oci-filters-applied").is_none());
    for filter in ["x/sbom%2Bjson", "x/sbom+json", "x%2Fsbom%2bjson"] {
        let target = format!("/v2/a/referrers/{subject}?artifactType={filter}");
        let reply = server.get(target).await.expect(200);
        assert_eq!(reply.header("oci-filters-applied"), "artifactType");
        let index = reply.json();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "{filter}");
        let descriptor = &index["manifests"][0];
        assert_eq!(descriptor["artifactType"], "x/sbom+json");
        assert_eq!(descriptor["mediaType"], media_type::OCI_MANIFEST);
        assert_eq!(descriptor["annotations"], json!({ "i": "0", "padding": "x" }));
    }
    let reply = server.get(format!("/v2/a/referrers/{subject}?artifactType=y")).await.expect(200);
    assert!(listed(&reply).is_empty());
    assert_eq!(reply.header("oci-filters-applied"), "artifactType");
}

#[tokio::test]
async fn referrers_come_in_pages() {
    let mut config = Config::default();
    config.limits.referrers_page = 2;
    let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
    let server = Server::new(config, &access);
    let (subject, digests) =
        referred(&server, &[("x/a", 1), ("x/b", 1), ("x/a", 1), ("x/a", 1), ("x/b", 1)]).await;
    let target = format!("/v2/a/referrers/{subject}");
    assert_eq!(follow(&server, &target).await, (digests, 3));
    let (filtered, pages) = follow(&server, &format!("{target}?artifactType=x/a")).await;
    assert_eq!((filtered.len(), pages), (3, 2));
}

#[tokio::test]
async fn a_page_is_no_larger_than_a_manifest_may_be() {
    let server = Server::open();
    let (subject, digests) =
        referred(&server, &[("x/a", 9_000), ("x/a", 9_000), ("x/a", 9_000), ("x/a", 1)]).await;
    let (followed, pages) = follow(&server, &format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(followed, digests);
    assert_eq!(pages, 2);
}
