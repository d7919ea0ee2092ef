//! Keycloak: a login service of the heavy kind, with one realm, a few people, and a client for Berth.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::pause;
use crate::port::free_port;
use crate::program::{find, log_end, run};

/// It is a large program in Java, which first puts itself together.
const PATIENCE: Duration = Duration::from_mins(5);

/// A realm in which Alice is in the group of builders and Bob is in none; their passwords are their names and `-password`.
const REALM: &str = r#"{
  "realm": "berth", "enabled": true, "sslRequired": "none",
  "groups": [{"name": "builders"}],
  "users": [
    {"username": "alice", "enabled": true, "email": "alice@example.com", "emailVerified": true, "firstName": "Alice",
     "lastName": "Arnold", "groups": ["/builders"], "credentials": [{"type": "password", "value": "alice-password"}]},
    {"username": "bob", "enabled": true, "email": "bob@example.com", "emailVerified": true, "firstName": "Bob",
     "lastName": "Brown", "credentials": [{"type": "password", "value": "bob-password"}]}
  ],
  "clients": [{
    "clientId": "berth", "secret": "berth-secret", "enabled": true, "protocol": "openid-connect", "publicClient": false,
    "standardFlowEnabled": true, "redirectUris": ["REDIRECT"], "attributes": {"pkce.code.challenge.method": "S256"},
    "protocolMappers": [{"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
      "config": {"claim.name": "groups", "full.path": "false", "id.token.claim": "true", "access.token.claim": "false",
      "userinfo.token.claim": "true"}}]
  }]
}"#;

/// A Keycloak at an address of this machine.
#[derive(Debug)]
pub struct Keycloak {
    port: u16,
    process: Mutex<Child>,
    // Last: it removes the directory.
    guard: Guard,
}

impl Keycloak {
    /// Starts one whose client sends users back to `redirect`. Takes a minute or more.
    pub fn start(redirect: &str) -> Self {
        let (guard, port) = (Guard::new("keycloak"), free_port());
        let log = guard.directory().join("log");
        let mut command = Command::new(home().join("bin/kc.sh"));
        command
            .args(["start-dev", "--db=dev-mem", "--http-host=127.0.0.1", &format!("--http-port={port}")])
            .env("KC_BOOTSTRAP_ADMIN_USERNAME", "admin")
            .env("KC_BOOTSTRAP_ADMIN_PASSWORD", "admin-password")
            .env("JAVA_OPTS_KC_HEAP", "-Xms128m -Xmx768m");
        let mut process = guard.spawn(&mut command, &log);
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "keycloak ended with {ended:?}\n{}", log_end(&log));
            assert!(begin.elapsed() < PATIENCE, "waited in vain for keycloak\n{}", log_end(&log));
            pause(Duration::from_millis(200));
        }
        let keycloak = Self { port, process: Mutex::new(process), guard };
        keycloak.make_realm(redirect);
        keycloak
    }

    /// Who its realm says to be.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}/realms/berth", self.port)
    }

    fn make_realm(&self, redirect: &str) {
        let base = format!("http://127.0.0.1:{}", self.port);
        let login = "grant_type=password&client_id=admin-cli&username=admin&password=admin-password";
        let token = format!("{base}/realms/master/protocol/openid-connect/token");
        let answer = curl(&["-d", login, &token]);
        let (_, rest) = answer.split_once("\"access_token\":\"").expect("an administrator gets a token");
        let token = rest.split('"').next().expect("it ends");
        let realm = self.guard.directory().join("realm.json");
        std::fs::write(&realm, REALM.replace("REDIRECT", redirect)).expect("a file can be written");
        let (data, authorization) =
            (format!("@{}", realm.display()), format!("Authorization: Bearer {token}"));
        let realms = format!("{base}/admin/realms");
        curl(&["-H", &authorization, "-H", "Content-Type: application/json", "-d", &data, &realms]);
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        // An error means that it has ended already.
        let _ = process.kill();
        self.guard.wait(&mut process);
    }
}

fn curl(arguments: &[&str]) -> String {
    run(Command::new(find("curl", "curl"))
        .args(["-sS", "--fail-with-body", "--retry", "5", "--noproxy", "*"])
        .args(arguments))
}

/// Where `scripts/keycloak` puts it.
fn home() -> PathBuf {
    let home = std::env::var_os("BERTH_KEYCLOAK").map(PathBuf::from);
    home.expect("BERTH_KEYCLOAK names no Keycloak: set it to what scripts/keycloak prints")
}
