use http::HeaderValue;

use super::*;

#[test]
fn fields_are_decoded() {
    let form = Form::parse("name=Alice+B&password=%E6%9D%8E%26%2B&empty=&csrf=x");
    assert_eq!(form.get("name"), Some("Alice B"));
    assert_eq!(form.get("password"), Some("李&+"));
    assert_eq!(form.get("empty"), Some(""));
    assert_eq!(form.get("other"), None);
}

#[test]
fn a_form_is_of_who_was_shown_it() {
    let form = Form::parse(&format!("csrf={}", token("mine")));
    assert!(form.is_of("mine"));
    assert!(!form.is_of("another's"));
    assert!(!Form::parse("").is_of("mine"));
}

#[test]
fn another_site_is_known() {
    let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
        let all = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        all.collect()
    };
    let uri = Uri::from_static("/login");
    for (pairs, expected) in [
        (&[("sec-fetch-site", "same-origin")][..], false),
        (&[("sec-fetch-site", "none")], false),
        (&[("sec-fetch-site", "cross-site")], true),
        (&[("sec-fetch-site", "same-site")], true),
        (&[("origin", "https://registry.example.com"), ("host", "registry.example.com")], false),
        (&[("origin", "https://evil.example"), ("host", "registry.example.com")], true),
        (&[("origin", "null"), ("host", "registry.example.com")], true),
        (&[("host", "registry.example.com")], false),
    ] {
        assert_eq!(is_cross_site(&headers(pairs), &uri, None), expected, "{pairs:?}");
    }
}
