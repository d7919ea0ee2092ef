//! What a client writes need not be text; what the proxies append to it counts all the same.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// Asks from behind a proxy that appends whom it saw to the line that the client sent.
fn client(headers: ProxyHeaders, name: &HeaderName, line: &[u8]) -> Option<String> {
    let networks = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    let mut map = HeaderMap::new();
    map.append(name.clone(), HeaderValue::from_bytes(line).ok()?);
    let origin = TrustedProxies { networks, headers }.origin("127.0.0.1".parse().unwrap(), &map);
    Some(origin.client.to_string())
}

#[test]
fn a_byte_that_is_no_text_hides_nobody_behind_the_proxy() {
    for line in [&b"\xff, 203.0.113.9"[..], b"\xc3\xa9,203.0.113.9", b"127.0.0.1, \x80\x81, 203.0.113.9"] {
        let found = client(ProxyHeaders::XForwarded, &X_FORWARDED_FOR, line);
        assert_eq!(found.as_deref(), Some("203.0.113.9"), "{}", line.escape_ascii());
    }
    for line in
        [&b"\xff, for=203.0.113.9"[..], b"for=\xff;x=\"\xfe, for=203.0.113.9", b"\xff=1,for=203.0.113.9"]
    {
        let found = client(ProxyHeaders::Forwarded, &http::header::FORWARDED, line);
        assert_eq!(found.as_deref(), Some("203.0.113.9"), "{}", line.escape_ascii());
    }
    // The proxy's own word is not text: nothing is known but the proxy.
    let found = client(ProxyHeaders::XForwarded, &X_FORWARDED_FOR, b"203.0.113.9, \xff");
    assert_eq!(found.as_deref(), Some("127.0.0.1"));
}

proptest! {
    #[test]
    fn whatever_bytes_the_client_writes_it_is_who_the_proxy_saw(
        invented in prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..40),
    ) {
        let seen = |end: &str| [&invented[..], b", ", end.as_bytes()].concat();
        let x = client(ProxyHeaders::XForwarded, &X_FORWARDED_FOR, &seen("198.51.100.1"));
        prop_assert_eq!(x.as_deref(), Some("198.51.100.1"));
        let standard = client(ProxyHeaders::Forwarded, &http::header::FORWARDED, &seen("for=198.51.100.1"));
        prop_assert_eq!(standard.as_deref(), Some("198.51.100.1"));
    }
}
