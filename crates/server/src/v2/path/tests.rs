use berth_oci::Algorithm;
use http::HeaderValue;
use proptest::prelude::*;

use super::super::location::Locations;
use super::super::query::Mount;
use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0123456789abcdef0123456789abcdef";

fn parse(target: &str) -> Result<Endpoint, PathError> {
    match target.split_once('?') {
        Some((path, query)) => Endpoint::parse(path, Some(query)),
        None => Endpoint::parse(target, None),
    }
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn manifest(repository: &str, reference: &str) -> Endpoint {
    Endpoint::Manifest {
        repository: name(repository),
        reference: reference.parse().unwrap(),
        tags: Vec::new(),
    }
}

fn blob(repository: &str) -> Endpoint {
    Endpoint::Blob { repository: name(repository), digest: DIGEST.parse().unwrap() }
}

#[test]
fn the_base_may_lack_its_slash() {
    assert_eq!(parse("/v2"), Ok(Endpoint::Base));
    assert_eq!(parse("/v2/"), Ok(Endpoint::Base));
    assert_eq!(parse("/v2/?x=y"), Ok(Endpoint::Base));
}

#[test]
fn reads_each_endpoint() {
    assert_eq!(parse("/v2/library/nginx/manifests/1.27"), Ok(manifest("library/nginx", "1.27")));
    assert_eq!(parse(&format!("/v2/a/manifests/{DIGEST}")), Ok(manifest("a", DIGEST)));
    assert_eq!(parse(&format!("/v2/a/b/c/blobs/{DIGEST}")), Ok(blob("a/b/c")));
    for target in ["/v2/a/blobs/uploads/", "/v2/a/blobs/uploads"] {
        assert_eq!(parse(target), Ok(Endpoint::Uploads { repository: name("a"), start: Start::default() }));
    }
    assert_eq!(
        parse(&format!("/v2/a/blobs/uploads/{ID}?digest={DIGEST}")),
        Ok(Endpoint::Upload {
            repository: name("a"),
            id: ID.parse().unwrap(),
            digest: Some(DIGEST.parse().unwrap())
        })
    );
    assert_eq!(
        parse("/v2/a/tags/list?n=10&last=b"),
        Ok(Endpoint::Tags { repository: name("a"), page: Page { n: Some(10), last: Some("b".into()) } })
    );
    assert_eq!(parse("/v2/_catalog"), Ok(Endpoint::Catalog { page: Page { n: None, last: None } }));
    assert_eq!(
        parse(&format!("/v2/a/referrers/{DIGEST}?artifactType=application/x%2By&last={DIGEST}")),
        Ok(Endpoint::Referrers {
            repository: name("a"),
            subject: DIGEST.parse().unwrap(),
            artifact_type: Some("application/x+y".into()),
            page: Page { n: None, last: Some(DIGEST.parse().unwrap()) },
        })
    );
}

#[test]
fn a_name_may_look_like_an_endpoint() {
    assert_eq!(parse("/v2/a/blobs/uploads/manifests/x"), Ok(manifest("a/blobs/uploads", "x")));
    assert_eq!(parse("/v2/tags/list/manifests/tags"), Ok(manifest("tags/list", "tags")));
    assert_eq!(parse(&format!("/v2/manifests/manifests/blobs/{DIGEST}")), Ok(blob("manifests/manifests")));
    assert_eq!(
        parse(&format!("/v2/x/blobs/uploads/blobs/uploads/{ID}")),
        Ok(Endpoint::Upload { repository: name("x/blobs/uploads"), id: ID.parse().unwrap(), digest: None })
    );
    assert_eq!(
        parse("/v2/a/tags/list/tags/list"),
        Ok(Endpoint::Tags { repository: name("a/tags/list"), page: Page { n: None, last: None } })
    );
}

#[test]
fn percent_encoding_is_resolved_once_and_never_separates() {
    let encoded = DIGEST.replace(':', "%3A");
    assert_eq!(parse(&format!("/v2/a/blobs/{encoded}")), Ok(blob("a")));
    assert_eq!(parse("/v2/%61/manifests/v%2E1"), Ok(manifest("a", "v.1")));
    for target in [
        "/v2/a%2Fb/manifests/x",
        "/v2/a%2fb/manifests/x",
        "/v2/a%252Fb/manifests/x",
        "/v2/%2e%2e/manifests/x",
        "/v2/a/%2e%2e/b/manifests/x",
        "/v2/a%00/manifests/x",
        "/v2/a%/manifests/x",
        "/v2/a%zz/manifests/x",
    ] {
        assert!(matches!(parse(target), Err(PathError::Name(_))), "{target}");
    }
    assert!(matches!(parse("/v2/a/manifests/x%2Fy"), Err(PathError::Tag(_))));
    assert_eq!(parse("/v2/a%2Fmanifests%2Fx"), Err(PathError::NoEndpoint));
    assert_eq!(parse("/v2/a/manifests%2Fx"), Err(PathError::NoEndpoint));
    assert_eq!(parse("/v2/%ff/manifests/x"), Err(PathError::NoEndpoint));
}

#[test]
fn nothing_is_normalised() {
    for target in [
        "/v2//manifests/x",
        "/v2/a//b/manifests/x",
        "/v2//a/manifests/x",
        "/v2/a//manifests/x",
        "/v2/../manifests/x",
        "/v2/a/../b/manifests/x",
        "/v2/./a/manifests/x",
        "/v2/A/manifests/x",
        "/v2/a_/manifests/x",
        "/v2//tags/list",
        "/v2//blobs/uploads/",
    ] {
        assert!(matches!(parse(target), Err(PathError::Name(_))), "{target}");
    }
    for target in [
        "/v2//",
        "/v2/a",
        "/v2/a/",
        "/v2/a/tags",
        "/v2/a/tags/list/",
        "/v2/_catalog/",
        "/v2/manifests/x",
        "/v2/tags/list",
        "/v2/a/manifest/x",
        "/v2/a/Manifests/x",
        "/v2/blobs/uploads/",
        "/v2/a/uploads/x",
        "/v2x/a/manifests/x",
        "/v3/a/manifests/x",
        "/v2/a/manifests/x/../y",
        "",
    ] {
        assert_eq!(parse(target), Err(PathError::NoEndpoint), "{target}");
    }
    assert!(matches!(parse("/v2/a/manifests/"), Err(PathError::Tag(_))));
    assert!(matches!(parse("/v2/a/manifests/.hidden"), Err(PathError::Tag(_))));
    assert!(matches!(parse("/v2/a/manifests/sha256:bad"), Err(PathError::Digest(_))));
    assert!(matches!(parse("/v2/a/blobs/latest"), Err(PathError::Digest(_))));
    assert!(matches!(parse("/v2/a/blobs/"), Err(PathError::Digest(_))));
    assert_eq!(parse("/v2/a/blobs/uploads/.."), Err(PathError::UploadId));
    assert_eq!(parse(&format!("/v2/a/blobs/uploads/{ID}/")), Err(PathError::NoEndpoint));
}

#[test]
fn reads_what_a_post_asks_for() {
    let start = |query: &str| match parse(&format!("/v2/a/blobs/uploads/?{query}")) {
        Ok(Endpoint::Uploads { start, .. }) => Ok(start),
        Err(error) => Err(error),
        other => panic!("{other:?}"),
    };
    let digest: Digest = DIGEST.parse().unwrap();
    let from = |name: Option<&str>| {
        let mount = Some(Mount { digest, from: name.map(|name| name.parse().unwrap()) });
        Ok(Start { mount, ..Start::default() })
    };
    assert_eq!(start(&format!("digest={DIGEST}")), Ok(Start { digest: Some(digest), ..Start::default() }));
    assert_eq!(start(&format!("mount={DIGEST}&from=b/c")), from(Some("b/c")));
    assert_eq!(start(&format!("from=b%2Fc&mount={}", DIGEST.replace(':', "%3A"))), from(Some("b/c")));
    assert_eq!(start(&format!("mount={DIGEST}")), from(None));
    assert_eq!(start(&format!("mount={DIGEST}&from=")), from(None));
    assert_eq!(start(&format!("mount={DIGEST}&from=No/Such")), Ok(Start::default()));
    assert_eq!(start("from=b"), Ok(Start::default()));
    assert_eq!(start("digest-algorithm=sha512").unwrap().session_algorithm(), Some(Algorithm::Sha512));
    assert_eq!(start(&format!("mount={DIGEST}")).unwrap().session_algorithm(), Some(Algorithm::Sha256));
    assert_eq!(start("").unwrap().session_algorithm(), None);
    assert!(matches!(start("digest=sha256:x"), Err(PathError::Digest(_))));
    assert!(matches!(start("digest="), Err(PathError::Digest(_))));
    assert!(matches!(start("mount=md5:x"), Err(PathError::Digest(_))));
    assert!(matches!(start("digest-algorithm=md5"), Err(PathError::Parameter("digest-algorithm", _))));
}

#[test]
fn reads_tags_of_a_push() {
    let Ok(Endpoint::Manifest { tags, .. }) =
        parse(&format!("/v2/a/manifests/{DIGEST}?tag=1&x=y&tag=1.2&tag=v%5F3"))
    else {
        panic!()
    };
    assert_eq!(tags, ["1", "1.2", "v_3"].map(|tag| tag.parse().unwrap()));
    assert!(matches!(parse(&format!("/v2/a/manifests/{DIGEST}?tag=")), Err(PathError::Tag(_))));
    assert!(matches!(parse(&format!("/v2/a/manifests/{DIGEST}?tag=a&tag=..")), Err(PathError::Tag(_))));
}

#[test]
fn reads_pages() {
    let page = |query: &str| match parse(&format!("/v2/a/tags/list?{query}")) {
        Ok(Endpoint::Tags { page, .. }) => Ok((page.capped(100), page.last)),
        Err(error) => Err(error),
        other => panic!("{other:?}"),
    };
    assert_eq!(page(""), Ok((100, None)));
    assert_eq!(page("n=0"), Ok((0, None)));
    assert_eq!(page("n=7&last=1%2E0"), Ok((7, Some("1.0".into()))));
    assert_eq!(page("n=1000"), Ok((100, None)));
    assert_eq!(page("n=99999999999999999999999999"), Ok((100, None)));
    for wrong in ["n=", "n=-1", "n=+1", "n=1.5", "n=x", "n=%31x", "n=1%00"] {
        assert!(matches!(page(wrong), Err(PathError::Parameter("n", _))), "{wrong}");
    }
}

fn any_name() -> impl Strategy<Value = RepositoryName> {
    let word =
        "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}|blobs|uploads|manifests|tags|list|referrers";
    prop::collection::vec(word, 1..5).prop_map(|words| words.join("/").parse().unwrap())
}

fn any_digest() -> impl Strategy<Value = Digest> {
    (any::<bool>(), any::<[u8; 8]>()).prop_map(|(long, content)| {
        Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &content)
    })
}

/// The target of a `Location`, or of a `Link`.
fn target(value: &HeaderValue) -> &str {
    let text = value.to_str().unwrap();
    text.strip_prefix('<').and_then(|text| text.strip_suffix(">; rel=\"next\"")).unwrap_or(text)
}

proptest! {
    #[test]
    fn never_panics(path in "\\PC*", query in proptest::option::of("\\PC*")) {
        let _ = Endpoint::parse(&path, query.as_deref());
    }

    #[test]
    fn never_panics_on_likely_paths(
        words in prop::collection::vec("|a|\\.\\.|%2[fF]|%[0-9a-f]{0,2}|blobs|uploads|manifests|tags|list|referrers|_catalog|sha256:x", 0..8),
        query in "((n|last|digest|mount|from|tag|artifactType|digest-algorithm)?=?[a-z0-9%+&:]{0,9}&?){0,4}",
    ) {
        let _ = Endpoint::parse(&format!("/v2/{}", words.join("/")), Some(&query));
    }

    #[test]
    fn reads_the_locations_it_hands_out(repository in any_name(), digest in any_digest(), id in "[0-9a-f]{32}") {
        let locations = Locations::below(None);
        let id: UploadId = id.parse().unwrap();
        let manifest = locations.manifest(&repository, &digest);
        let reference = Reference::Digest(digest);
        prop_assert_eq!(
            parse(target(&manifest)),
            Ok(Endpoint::Manifest { repository: repository.clone(), reference, tags: Vec::new() })
        );
        let blob = locations.blob(&repository, &digest);
        prop_assert_eq!(parse(target(&blob)), Ok(Endpoint::Blob { repository: repository.clone(), digest }));
        let upload = locations.upload(&repository, &id);
        prop_assert_eq!(parse(target(&upload)), Ok(Endpoint::Upload { repository, id, digest: None }));
    }

    #[test]
    fn reads_the_links_it_hands_out(repository in any_name(), last in "\\PC{1,20}", n in 0_usize..1000) {
        let parameters = [("n", &*n.to_string()), ("last", &*last)];
        let link = Locations::below(Some("/registry")).next(format_args!("{repository}/tags/list"), &parameters);
        let target = target(&link).strip_prefix("/registry").unwrap();
        let page = Page { n: Some(n), last: Some(last) };
        prop_assert_eq!(parse(target), Ok(Endpoint::Tags { repository, page }));
    }
}
