use super::*;

fn parsed(text: &str, plain_http: bool) -> String {
    Address::parse(text, plain_http).map_or_else(|error| format!("! {error}"), |address| address.to_string())
}

#[test]
fn an_address_is_read_as_operators_write_it() {
    assert_eq!(parsed("old.example.com", false), "https://old.example.com");
    assert_eq!(parsed("old.example.com:5000", true), "http://old.example.com:5000");
    assert_eq!(parsed("https://old.example.com/v2/", false), "https://old.example.com");
    assert_eq!(
        parsed("https://host/artifactory/api/docker/x/", false),
        "https://host/artifactory/api/docker/x"
    );
    assert_eq!(parsed("http://127.0.0.1:5000", false), "http://127.0.0.1:5000");
    assert_eq!(parsed("http://[::1]:5000", false), "http://[::1]:5000");
    assert_eq!(Address::parse("https://Old.example.com:443", false).unwrap().place(), "old.example.com");
}

#[test]
fn what_would_be_unsafe_or_senseless_is_refused() {
    assert!(parsed("http://old.example.com", false).contains("--plain-http"));
    assert!(
        parsed("https://me:secret@old.example.com", false)
            .starts_with("! the registry's address holds credentials")
    );
    assert!(!parsed("https://me:secret@old.example.com", false).contains("secret"));
    for text in ["ftp://me:secret@host", "https://me:secret@ho st", "https://me:secret@host:port"] {
        let said = parsed(text, false);
        assert!(said.starts_with('!') && !said.contains("secret"), "{said}");
    }
    for text in ["ftp://host", "", "https://", "https://host/?a=b", "unix:///run/x"] {
        assert!(parsed(text, false).starts_with('!'), "{text}");
    }
}
