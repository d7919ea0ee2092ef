use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn proxies(headers: ProxyHeaders) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1/32"];
    TrustedProxies { networks: networks.iter().map(|network| network.parse().unwrap()).collect(), headers }
}

fn origin(headers: ProxyHeaders, peer: &str, lines: &[(&'static str, &str)]) -> Origin {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    proxies(headers).origin(peer.parse().unwrap(), &map)
}

fn x_origin(peer: &str, lines: &[(&'static str, &str)]) -> Origin {
    origin(ProxyHeaders::XForwarded, peer, lines)
}

fn standard(forwarded: &str) -> Origin {
    origin(ProxyHeaders::Forwarded, "10.0.0.1", &[("forwarded", forwarded)])
}

fn client(peer: &str, x_forwarded_for: &str) -> String {
    x_origin(peer, &[("x-forwarded-for", x_forwarded_for)]).client.to_string()
}

#[test]
fn a_stranger_is_not_believed() {
    let origin = x_origin(
        "192.0.2.9",
        &[
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/evil"),
            ("x-request-id", "mine"),
        ],
    );
    assert_eq!(origin.client.to_string(), "192.0.2.9");
    assert_eq!(origin.forwarded, Forwarded::default());
    assert!(origin.request_id.is_none());
}

#[test]
fn the_client_is_the_last_hop_that_is_not_trusted() {
    assert_eq!(client("10.0.0.1", "198.51.100.1"), "198.51.100.1");
    // The client wrote the first entry itself.
    assert_eq!(client("10.0.0.1", "203.0.113.7, 198.51.100.1"), "198.51.100.1");
    assert_eq!(client("10.0.0.1", "203.0.113.7, 198.51.100.1, 10.1.1.1"), "198.51.100.1");
    // All are ours: the farthest asked.
    assert_eq!(client("10.0.0.1", "10.2.2.2, 10.1.1.1"), "10.2.2.2");
}

#[test]
fn nothing_is_believed_beyond_an_entry_that_is_no_address() {
    assert_eq!(client("10.0.0.1", "198.51.100.1, unknown"), "10.0.0.1");
    assert_eq!(client("10.0.0.1", "198.51.100.1, unknown, 10.1.1.1"), "10.1.1.1");
    assert_eq!(client("10.0.0.1", ""), "10.0.0.1");
}

#[test]
fn addresses_come_in_every_spelling() {
    for (written, read) in [
        ("198.51.100.1:4711", "198.51.100.1"),
        ("2001:db9::1", "2001:db9::1"),
        ("[2001:db9::1]", "2001:db9::1"),
        ("[2001:db9::1]:4711", "2001:db9::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
    ] {
        assert_eq!(client("10.0.0.1", written), read, "{written}");
    }
}

#[test]
fn a_mapped_peer_is_the_ipv4_peer() {
    assert_eq!(client("::ffff:10.0.0.1", "198.51.100.1"), "198.51.100.1");
    assert_eq!(client("::ffff:192.0.2.1", "198.51.100.1"), "192.0.2.1");
}

#[test]
fn scheme_host_and_prefix_are_taken_over() {
    let origin = x_origin(
        "10.0.0.1",
        &[
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "registry.example:8443"),
            ("x-forwarded-prefix", "/team/registry/"),
            ("x-request-id", "abc-1"),
        ],
    );
    assert_eq!(
        origin.forwarded,
        Forwarded {
            scheme: Some("https"),
            host: Some("registry.example:8443".into()),
            prefix: Some("/team/registry".into()),
        }
    );
    assert_eq!(origin.request_id.unwrap().as_str(), "abc-1");
}

#[test]
fn the_outermost_trusted_proxy_knows_the_scheme_best() {
    // A load balancer ended TLS and spoke plainly to the proxy next to us; the client pretended something else.
    let origin = x_origin(
        "10.0.0.1",
        &[
            ("x-forwarded-for", "203.0.113.7, 198.51.100.1, 10.1.1.1"),
            ("x-forwarded-proto", "ftp, https, http"),
        ],
    );
    assert_eq!(origin.forwarded.scheme, Some("https"));
    // One value, overwritten by the proxy next to us.
    let origin = x_origin(
        "10.0.0.1",
        &[("x-forwarded-for", "198.51.100.1, 10.1.1.1"), ("x-forwarded-proto", "https")],
    );
    assert_eq!(origin.forwarded.scheme, Some("https"));
}

#[test]
fn odd_values_are_left_out() {
    for prefix in
        ["", "/", "evil", "//evil.example", "/a/../b", "/a//b", "/a?b", "/a\"b", "https://evil.example"]
    {
        let origin = x_origin("10.0.0.1", &[("x-forwarded-prefix", prefix)]);
        assert_eq!(origin.forwarded.prefix, None, "{prefix}");
    }
    for host in ["", "a b", "a/b", "a\"b", "user@host"] {
        assert_eq!(x_origin("10.0.0.1", &[("x-forwarded-host", host)]).forwarded.host, None, "{host}");
    }
}

#[test]
fn one_family_of_headers_counts() {
    let both = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=203.0.113.7")];
    assert_eq!(origin(ProxyHeaders::XForwarded, "10.0.0.1", &both).client.to_string(), "198.51.100.1");
    assert_eq!(origin(ProxyHeaders::Forwarded, "10.0.0.1", &both).client.to_string(), "203.0.113.7");
}

#[test]
fn the_standard_header_is_read() {
    let origin = origin(
        ProxyHeaders::Forwarded,
        "10.0.0.1",
        &[
            ("forwarded", "for=203.0.113.7;proto=http"),
            (
                "forwarded",
                "For=\"[2001:db9::1]:4711\"; Proto=https;host=\"registry.example\", for=10.1.1.1;by=\"a,b;c\"",
            ),
        ],
    );
    assert_eq!(origin.client.to_string(), "2001:db9::1");
    assert_eq!(origin.forwarded.scheme, Some("https"));
    assert_eq!(origin.forwarded.host.as_deref(), Some("registry.example"));
    for hidden in ["for=unknown", "for=_hidden", "for=\"", "by=10.0.0.1", ";;=", "for"] {
        let client = standard(hidden).client.to_string();
        assert_eq!(client, "10.0.0.1", "{hidden}");
    }
}

proptest! {
    #[test]
    fn any_headers_can_be_read(
        lines in prop::collection::vec((0..5_usize, prop::collection::vec(any::<u8>(), 0..60)), 0..8),
        standard: bool,
    ) {
        let names = [&X_FORWARDED_FOR, &X_FORWARDED_PROTO, &X_FORWARDED_HOST, &X_FORWARDED_PREFIX, &http::header::FORWARDED];
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(names[name].clone(), value);
            }
        }
        let headers = if standard { ProxyHeaders::Forwarded } else { ProxyHeaders::XForwarded };
        let origin = proxies(headers).origin("10.0.0.1".parse().unwrap(), &map);
        if let Some(prefix) = origin.forwarded.prefix {
            prop_assert!(prefix.starts_with('/') && !prefix.contains("//") && !prefix.ends_with('/'));
        }
    }

    #[test]
    fn what_the_client_writes_never_changes_who_it_is(
        invented in prop::collection::vec("[0-9a-f.:, \"]{0,20}", 0..4),
        hops in 0..3_usize,
    ) {
        // The client connects from 198.51.100.1 to the first proxy; each proxy appends whom it saw.
        let mut chain = invented;
        chain.push("198.51.100.1".to_owned());
        chain.extend((0..hops).map(|hop| format!("10.0.0.{hop}")));
        prop_assert_eq!(client("10.0.0.9", &chain.join(", ")), "198.51.100.1");
    }

    #[test]
    fn nor_in_the_standard_header(invented in "[a-z=;:, \"\\\\]{0,30}", hops in 0..3_usize) {
        let mut chain = format!("{invented}, for=198.51.100.1;proto=https");
        chain.extend((0..hops).map(|hop| format!(", for=\"10.0.0.{hop}\"")));
        let origin = origin(ProxyHeaders::Forwarded, "10.0.0.9", &[("forwarded", &chain)]);
        prop_assert_eq!(origin.client.to_string(), "198.51.100.1");
    }

    #[test]
    fn written_addresses_are_read(address: IpAddr, port: u16) {
        let socket = std::net::SocketAddr::new(address, port);
        prop_assert_eq!(parse::address(&address.to_string()), Some(address.to_canonical()));
        prop_assert_eq!(parse::address(&socket.to_string()), Some(address.to_canonical()));
    }
}
