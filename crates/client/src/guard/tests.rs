use super::*;

fn check(registry: &str, url: &str) -> bool {
    let named = Url::parse(registry).unwrap();
    let plain = if named.scheme() == "http" { PlainHttp::Anywhere } else { PlainHttp::Never };
    Guard::new("the registry", &named, plain).check(&Url::parse(url).unwrap()).is_ok()
}

#[test]
fn secrets_of_the_machine_are_out_of_reach() {
    for url in [
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://2852039166/",
        "https://100.100.100.200/",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "http://storage.example.com/",
        "file:///etc/passwd",
    ] {
        assert!(!check("https://old.example.com", url), "{url}");
    }
    assert!(check("https://old.example.com", "https://10.0.0.7/blob"));
    assert!(check("https://old.example.com", "https://storage.example.com/blob"));
}

#[test]
fn what_the_operator_named_is_fine() {
    assert!(check("https://169.254.7.7:5000", "https://169.254.7.7:5000/v2/"));
    assert!(!check("https://169.254.7.7:5000", "https://169.254.169.254/"));
    assert!(check("http://127.0.0.1:5000", "http://127.0.0.1:9000/blob"));
    assert!(!check("http://127.0.0.1:5000", "http://169.254.169.254/"));
}
