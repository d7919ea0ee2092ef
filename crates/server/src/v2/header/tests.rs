use berth_oci::Algorithm;
use http::header::{IF_NONE_MATCH, IF_RANGE};

use super::*;

fn named() -> Named {
    Named::new(&Digest::of(Algorithm::Sha256, b""))
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn with(name: HeaderName, text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, text.parse().unwrap());
    headers
}

#[test]
fn names_content_by_digest() {
    let mut headers = HeaderMap::new();
    named().insert_into(&mut headers, immutable(&Caller::user("ann")));
    assert_eq!(headers["docker-content-digest"], DIGEST);
    assert_eq!(headers["etag"], format!("\"{DIGEST}\""));
    assert_eq!(headers["cache-control"], "private, max-age=31536000, immutable");
}

#[test]
fn if_none_match_knows_lists_weak_tags_and_bare_digests() {
    for known in [
        format!("\"{DIGEST}\""),
        format!("W/\"{DIGEST}\""),
        format!("\"other\" ,\t\"{DIGEST}\""),
        DIGEST.into(),
        "*".into(),
    ] {
        assert!(named().is_known(&with(IF_NONE_MATCH, &known)), "{known}");
    }
    for unknown in ["\"other\"", "", "\"sha256:e3b0\"", "w/*"] {
        assert!(!named().is_known(&with(IF_NONE_MATCH, unknown)), "{unknown}");
    }
    assert!(!named().is_known(&HeaderMap::new()));
}

#[test]
fn if_range_compares_strongly() {
    assert!(named().is_in_range_condition(&HeaderMap::new()));
    assert!(named().is_in_range_condition(&with(IF_RANGE, &format!("\"{DIGEST}\""))));
    for other in [&format!("W/\"{DIGEST}\""), "\"other\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        assert!(!named().is_in_range_condition(&with(IF_RANGE, other)), "{other}");
    }
}

#[test]
fn content_types_are_kept() {
    for media_type in [media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, "application/vnd.example+json"] {
        assert_eq!(content_type(media_type), media_type);
    }
    assert_eq!(content_type("a\nb"), media_type::OCTET_STREAM);
}
