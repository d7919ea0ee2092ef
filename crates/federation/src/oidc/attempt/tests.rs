use super::*;

#[test]
fn a_login_ends_on_this_server() {
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
        &format!("/{}", "x".repeat(600)),
    ] {
        assert_eq!(Attempt::new(next).unwrap().next(), "/login", "{next:?}");
        let forged =
            format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 32]), BASE64_URL_SAFE_NO_PAD.encode(next));
        assert_eq!(Attempt::parse(&forged).unwrap().next(), "/login", "{next:?}");
    }
    assert_eq!(Attempt::new("/login?x=//y").unwrap().next(), "/login?x=//y");
}

#[test]
fn a_cookie_is_the_attempt() {
    let attempt = Attempt::new("/login").unwrap();
    assert_eq!(Attempt::parse(&attempt.cookie()), Some(attempt.clone()));
    for cookie in ["", ".", "x", "eA.eA", &attempt.cookie()[1..]] {
        assert_eq!(Attempt::parse(cookie), None, "{cookie:?}");
    }
}

#[test]
fn nothing_derived_is_good_elsewhere() {
    let (one, other) = (Attempt::new("/").unwrap(), Attempt::new("/").unwrap());
    let all =
        [one.state("a"), one.nonce("a"), one.verifier("a"), one.state("b"), other.state("a"), one.cookie()];
    for (n, text) in all.iter().enumerate() {
        assert!(!all[..n].contains(text));
    }
    assert!((43..=128).contains(&one.verifier("a").len()));
}
