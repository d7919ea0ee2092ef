//! Runs the binary's simple commands.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

fn berth(directory: &Path) -> Command {
    let mut command = Command::cargo_bin("berth").unwrap();
    command.current_dir(directory).env_clear();
    command
}

struct Ran {
    success: bool,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn help_teaches_with_examples() {
    let here = TempDir::new().unwrap();
    let verbs =
        ["serve", "gc", "scrub", "read-only", "migrate", "passwd", "doctor", "backup", "restore", "import"];
    for verb in verbs.map(|verb| vec![verb]).into_iter().chain([vec![], vec!["events", "tail"]]) {
        let help = run(berth(here.path()).args(&verb).arg("--help"));
        assert!(help.success && help.stdout.contains("Example"), "{verb:?}: {}", help.stdout);
    }
}

#[test]
fn config_check_prints_what_is_in_effect() {
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("berth.yaml"), "data_dir: from-file\nlog: {level: warn}\n").unwrap();
    let check = run(berth(here.path())
        .args(["config", "check", "--listen", "127.0.0.1:7000"])
        .env("BERTH_LOG__LEVEL", "debug"));
    assert!(check.success, "{}", check.stderr);
    assert!(check.stderr.starts_with("berth.yaml is fine"), "{}", check.stderr);
    for line in ["data_dir: from-file", "- 127.0.0.1:7000", "level: debug", "anonymous: write"] {
        assert!(check.stdout.contains(line), "{line} in {}", check.stdout);
    }
}

#[test]
fn config_check_fails_with_the_place_of_the_error() {
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("b.yaml"), "http:\n  listn: []\n").unwrap();
    let check = run(berth(here.path()).args(["config", "check", "--config", "b.yaml"]));
    assert!(!check.success && check.stdout.is_empty());
    assert_eq!(check.stderr, "error: b.yaml:2:3: unknown key \"listn\": did you mean \"listen\"?\n");
}

#[test]
fn config_check_refuses_what_serve_would_refuse_without_asking_anybody() {
    let here = tempfile::tempdir().unwrap();
    for (text, problem) in [
        ("secrets: {key_file: none.key}", "none.key"),
        ("http: {tls: {certificate: none.pem, key: none.pem}}", "http.tls"),
        (
            "access: {ldap: [{name: corp, servers: ['ldap://ldap.example'], users: {base: 'dc=example', filter: '(uid={name})'}}]}",
            "ldap",
        ),
    ] {
        std::fs::write(here.path().join("berth.yaml"), text).unwrap();
        let check = run(berth(here.path()).args(["config", "check"]));
        assert!(!check.success && check.stderr.contains(problem), "{text}: {}", check.stderr);
    }
}

#[test]
fn answers_and_failures_end_with_codes_of_their_own() {
    let here = tempfile::tempdir().unwrap();
    let asked =
        berth(here.path()).args(["access", "explain", "alice", "pull", "project/a"]).output().unwrap();
    assert_eq!(asked.status.code(), Some(2), "{}", String::from_utf8_lossy(&asked.stderr));
    // Docker knows no other end of a health check.
    let ready = berth(here.path()).args(["ready", "--listen", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(ready.status.code(), Some(1), "{}", String::from_utf8_lossy(&ready.stderr));
}

#[test]
fn listening_beyond_loopback_needs_users_or_a_word() {
    let here = TempDir::new().unwrap();
    let check = ["config", "check", "--listen", "0.0.0.0:5000"];
    let refused = run(berth(here.path()).args(check));
    assert!(!refused.success);
    assert!(refused.stderr.contains("berth passwd") && refused.stderr.contains("--anonymous read"));
    assert!(run(berth(here.path()).args(check).args(["--anonymous", "read"])).success);
    let entry = run(berth(here.path()).args(["passwd", "alice"]).write_stdin("secret\n"));
    std::fs::write(here.path().join("berth.yaml"), entry.stdout).unwrap();
    let allowed = run(berth(here.path()).args(check));
    assert!(allowed.success && allowed.stdout.contains("anonymous: none"), "{}", allowed.stderr);
}

#[test]
fn passwd_prints_a_hash_or_an_entry() {
    let here = TempDir::new().unwrap();
    let hash = run(berth(here.path()).arg("passwd").write_stdin("secret\n"));
    assert!(hash.success && hash.stdout.starts_with("$argon2id$"), "{}", hash.stderr);
    let entry = run(berth(here.path()).args(["passwd", "ci", "--access", "read"]).write_stdin("secret"));
    assert!(entry.success && entry.stdout.contains("    password: $argon2id$v=19$"), "{}", entry.stdout);
    let empty = run(berth(here.path()).arg("passwd").write_stdin("\n"));
    assert_eq!(empty.stderr, "error: password is empty; give at least one character\n");
    let name = run(berth(here.path()).args(["passwd", "a:b"]).write_stdin("secret\n"));
    assert!(name.stderr.contains("contains a colon"), "{}", name.stderr);
}

#[test]
fn completions_know_the_verbs() {
    let here = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = run(berth(here.path()).args(["completions", shell]));
        assert!(script.success && script.stdout.contains("scrub"), "{shell}");
    }
}

#[test]
fn doctor_says_what_to_fix() {
    let here = TempDir::new().unwrap();
    let fit = run(berth(here.path()).args(["doctor", "--listen", "127.0.0.1:0"]));
    assert!(fit.stdout.contains("data directory"), "{}{}", fit.stdout, fit.stderr);
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 0, "the doctor leaves nothing behind");

    std::fs::write(here.path().join("file"), "").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let unfit = run(berth(here.path()).args(["doctor", "--data-dir", "file", "--listen", &address]));
    assert!(!unfit.success);
    assert!(unfit.stdout.contains("FAIL  data directory   file is not a directory"), "{}", unfit.stdout);
    assert!(unfit.stdout.contains(&format!("FAIL  listen address   {address}")), "{}", unfit.stdout);
    assert!(unfit.stdout.ends_with("\n2 to fix\n"), "{}", unfit.stdout);
}

#[test]
fn migrate_status_compares_catalog_and_binary() {
    let here = TempDir::new().unwrap();
    let status = || run(berth(here.path()).args(["migrate", "status", "--data-dir", "."]));
    let none = status();
    assert!(!none.success && none.stderr.contains("holds no catalog"), "{}", none.stderr);

    let file = here.path().join("catalog.db");
    drop(berth_catalog::Catalog::open(&file, berth_catalog::Clock::system()).unwrap());
    let current = status();
    assert!(current.success && current.stdout.contains("; up to date\n"), "{}", current.stdout);

    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "").unwrap();
    let empty = status();
    assert!(!empty.success && empty.stdout.contains("version 0"), "{}{}", empty.stdout, empty.stderr);
}
