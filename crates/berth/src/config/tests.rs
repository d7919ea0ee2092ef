use std::path::Path;

use super::environment::overlay;
use super::file::parse;
use super::schema::Keys;
use super::{Config, schema_document};

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzYWx0$4bKx8xqYl+hsJtplzfOhb58XVdEg2q8nqW/oZg1WP/o";

fn refused(text: &str) -> String {
    parse(text, "berth.yaml").unwrap_err().to_string()
}

fn with(variables: &[(&str, &str)]) -> anyhow::Result<Config> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    overlay(Config::default(), owned.collect())
}

fn refused_with(variables: &[(&str, &str)]) -> String {
    format!("{:#}", with(variables).unwrap_err())
}

#[test]
fn empty_files_are_the_defaults() {
    for text in ["", "# nothing\n", "{}", "http:\n  {}\n"] {
        assert_eq!(parse(text, "berth.yaml").unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn the_effective_configuration_is_a_configuration_file() {
    let config =
        with(&[("BERTH_HTTP__LISTEN", "[127.0.0.1:1, \"[::1]:2\"]"), ("BERTH_LOG__LEVEL", "off")]).unwrap();
    assert_eq!(parse(&config.to_yaml().unwrap(), "berth.yaml").unwrap(), config);
}

#[test]
fn unknown_keys_are_refused_with_position_and_nearest_key() {
    assert_eq!(
        refused("data_dir: d\nhttp:\n  listn: [127.0.0.1:1]\n"),
        "berth.yaml:3:3: unknown key \"listn\": did you mean \"listen\"?"
    );
    assert_eq!(
        refused("http:\n  tls: {certificate: a, key: b, cipers: c}\n"),
        "berth.yaml:2:33: unknown key \"cipers\": known here are certificate, key, client_ca, client_certificates, client_name"
    );
    assert_eq!(
        refused("listen: [127.0.0.1:1]\n"),
        "berth.yaml:1:1: unknown key \"listen\": did you mean \"http.listen\"?"
    );
    assert!(
        refused("colour: red\n")
            .starts_with("berth.yaml:1:1: unknown key \"colour\": known here are data_dir, database, ")
    );
}

#[test]
fn unknown_words_and_wrong_types_are_refused_with_position() {
    assert_eq!(
        refused("access:\n  anonymous: raed\n"),
        "berth.yaml:2:14: unknown value \"raed\": did you mean \"read\"?"
    );
    assert_eq!(
        refused("log:\n  format: xml\n"),
        "berth.yaml:2:11: unknown value \"xml\": use one of auto, human, json"
    );
    assert!(refused("http:\n  listen: [localhost]\n").starts_with("berth.yaml:2:12: "));
    assert!(refused("http:\n  http2: perhaps\n").starts_with("berth.yaml:2:10: "));
    assert!(refused("http: [\n").starts_with("berth.yaml:1:7: "));
    assert!(refused("log: {}\nlog: {}\n").starts_with("berth.yaml:2:1: "));
}

#[test]
fn passwords_are_neither_accepted_nor_repeated() {
    let error = refused("access:\n  users:\n    - name: alice\n      password: hunter2\n");
    assert!(error.starts_with("berth.yaml:4:17: ") && error.contains("`berth passwd`"), "{error}");
    assert!(!error.contains("hunter2"));
    let config =
        parse(&format!("access: {{users: [{{name: alice, password: \"{HASH}\"}}]}}"), "berth.yaml").unwrap();
    assert!(!config.to_yaml().unwrap().contains("argon2id"));
    assert!(!format!("{config:?}").contains("argon2id"));
}

#[test]
fn variables_set_any_key() {
    let config = with(&[
        ("BERTH_CONFIG", "elsewhere.yaml"),
        ("BERTH_DATA_DIR", "0123"),
        ("BERTH_GC__UNTAGGED", "delete"),
        ("BERTH_HTTP__HTTP2", "false"),
        ("BERTH_HTTP__LISTEN", "127.0.0.1:7000"),
        ("BERTH_HTTP__TLS__CERTIFICATE", "cert.pem"),
        ("BERTH_HTTP__TLS__KEY", "key.pem"),
        ("BERTH_HTTP__TRUSTED_PROXIES", "[10.0.0.0/8, \"fd00::/8\"]"),
        ("BERTH_ACCESS__USERS", &format!("[{{name: alice, password: \"{HASH}\"}}]")),
    ])
    .unwrap();
    assert_eq!(config.data_dir, Path::new("0123"), "text is not read as a number");
    assert_eq!(config.gc.untagged, berth_registry::Untagged::Delete);
    assert!(!config.http.http2);
    assert_eq!(config.http.listen, ["127.0.0.1:7000".parse().unwrap()]);
    assert_eq!(config.http.tls.unwrap().key, Path::new("key.pem"));
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert_eq!(config.access.users[0].name, "alice");
}

#[test]
fn variables_that_look_meant_are_refused_with_the_nearest() {
    assert_eq!(
        refused_with(&[("BERTH_HTTP__LISTN", "x")]),
        "BERTH_HTTP__LISTN: unknown key: did you mean BERTH_HTTP__LISTEN?"
    );
    assert_eq!(
        refused_with(&[("BERTH_HTTP_LISTEN", "x")]),
        "BERTH_HTTP_LISTEN: unknown key: did you mean BERTH_HTTP__LISTEN?"
    );
    assert!(refused_with(&[("BERTH_FOO__BAR", "x")]).starts_with("BERTH_FOO__BAR: unknown key: "));
    // What Kubernetes sets for a service named berth.
    let kubernetes = [("BERTH_PORT", "tcp://10.0.0.1:5000"), ("BERTH_SERVICE_HOST", "10.0.0.1")];
    assert_eq!(with(&kubernetes).unwrap(), Config::default());
}

#[test]
fn a_wrong_value_is_blamed_on_its_variable() {
    let error = refused_with(&[("BERTH_GC__DELAY_SECONDS", "ten"), ("BERTH_LOG__LEVEL", "debug")]);
    assert!(error.starts_with("BERTH_GC__DELAY_SECONDS: "), "{error}");
    let error = refused_with(&[("BERTH_HTTP__LISTEN", "[")]);
    assert!(error.starts_with("BERTH_HTTP__LISTEN: "), "{error}");
    let error = refused_with(&[("BERTH_HTTP__TLS__KEY", "key.pem")]);
    assert_eq!(error, "BERTH_HTTP__TLS__KEY: missing field `certificate`");
}

#[test]
fn every_key_says_what_it_is_for() {
    let keys = Keys::new();
    for path in keys.paths() {
        let node = keys.find(path.iter().copied()).unwrap();
        assert!(node["description"].is_string(), "{} has no doc comment", path.join("."));
    }
}

#[test]
fn the_committed_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/berth.schema.json");
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == schema_document().unwrap(),
        "docs/berth.schema.json is stale: cargo run -p berth -- config schema > docs/berth.schema.json"
    );
}
