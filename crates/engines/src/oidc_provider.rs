//! A login service, `oidc-provider` of npm: anybody may log in there by name, and clients get tokens with the claims that they ask for.

use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::LazyLock;

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{find, log_end};

const SCRIPT: &str = include_str!("oidc_provider.mjs");

/// A login service at an address of this machine.
///
/// Users log in without a password: `alice` is in the group `builders`, everybody else in none. Client `berth` has the secret
/// `berth-secret` and may send users back to `REDIRECT`; client `ci` gets tokens by `client_credentials`, whose claims are the JSON
/// in the form's field `claims`.
#[derive(Debug)]
pub struct OidcProvider {
    port: u16,
    process: Mutex<Child>,
    // Last: it removes the directory.
    guard: Guard,
}

impl OidcProvider {
    /// Where [`Self::shared`] sends users back to: nobody is there, so whoever plays the browser goes on at the server under test.
    pub const BACK: &str = "https://berth.test/login/oidc/test/callback";

    /// Returns the service that the tests of one binary share. It starts when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<OidcProvider> = LazyLock::new(|| OidcProvider::start(OidcProvider::BACK));
        &SHARED
    }

    /// Starts a service that sends users back to `redirect`.
    pub fn start(redirect: &str) -> Self {
        let (guard, port) = (Guard::new("oidc"), free_port());
        let script = guard.directory().join("provider.mjs");
        std::fs::write(&script, SCRIPT).expect("a file can be written");
        symlink(modules(), guard.directory().join("node_modules")).expect("a link can be made");
        let log = guard.directory().join("log");
        let mut command = Command::new(find("node", "nodejs"));
        command.arg(&script).env("PORT", port.to_string()).env("REDIRECT", redirect);
        let mut process = guard.spawn(&mut command, &log);
        wait_for("oidc-provider", || {
            let ended = process.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "oidc-provider ended with {ended:?}\n{}", log_end(&log));
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { port, process: Mutex::new(process), guard }
    }

    /// Who it says to be.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        log_end(&self.guard.directory().join("log"))
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        // An error means that it has ended already.
        let _ = process.kill();
        self.guard.wait(&mut process);
    }
}

/// Where `scripts/tools` puts it.
fn modules() -> PathBuf {
    let below = |key: &str, rest: &str| std::env::var_os(key).map(|dir| PathBuf::from(dir).join(rest));
    let cache = below("BERTH_TOOLS", "")
        .or_else(|| below("XDG_CACHE_HOME", "berth-tools"))
        .or_else(|| below("HOME", ".cache/berth-tools"))
        .expect("there is a home");
    let modules = cache.join("oidc-provider/node_modules");
    assert!(modules.join("oidc-provider").is_dir(), "oidc-provider is not installed: run scripts/tools");
    modules
}
