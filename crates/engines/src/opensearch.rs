//! OpenSearch: what the audit trail's searches are compared with, and what its records are shipped to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::wait_within;
use crate::port::free_port;
use crate::program::{User, log_end, run};

/// As `scripts/search` fetches it.
const VERSION: &str = "2.19.1";

/// A Java program that loads all of Lucene.
const PATIENCE: Duration = Duration::from_mins(4);

/// One node, with a heap of 512 MB.
#[derive(Debug)]
pub struct OpenSearch {
    port: u16,
    user: User,
    process: Mutex<Option<Child>>,
    // Last: it removes the directory.
    guard: Guard,
}

impl OpenSearch {
    /// Starts a node with nothing in it.
    pub fn start() -> Self {
        let (guard, port) = (Guard::new("opensearch"), free_port());
        let user = User::unless_root("nobody", "base-passwd");
        let home = guard.directory().join("home");
        let from = directory().join(format!("opensearch-{VERSION}"));
        assert!(
            from.join("complete").is_file(),
            "OpenSearch is not in {}: run scripts/search",
            from.display()
        );
        run(Command::new("cp").arg("-r").arg(&from).arg(&home));
        let settings = format!(
            "discovery.type: single-node\nhttp.port: {port}\ntransport.port: {}\nnetwork.host: 127.0.0.1\n\
             cluster.routing.allocation.disk.threshold_enabled: false\n",
            free_port()
        );
        std::fs::write(home.join("config/opensearch.yml"), settings).expect("a file can be written");
        for folder in ["data", "logs", "tmp"] {
            std::fs::create_dir_all(home.join(folder)).expect("a directory can be made");
        }
        if let User::Other(user, group) = user {
            run(Command::new("chown").arg("-R").arg(format!("{user}:{group}")).arg(&home));
        }
        let node = Self { port, user, process: Mutex::default(), guard };
        node.resume();
        node
    }

    /// Returns where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a power failure does.
    pub fn kill(&self) {
        let process = self.process.lock().take().expect("it runs");
        self.guard.end(process, "KILL");
    }

    /// Starts it again with what it had, and waits until it answers.
    pub fn resume(&self) {
        let home = self.guard.directory().join("home");
        let log = self.guard.directory().join("log");
        let mut command = self.user.command(&home.join("bin/opensearch"));
        command
            .env("OPENSEARCH_JAVA_HOME", java())
            .env("OPENSEARCH_JAVA_OPTS", "-Xms512m -Xmx512m")
            .env("OPENSEARCH_TMPDIR", home.join("tmp"));
        let mut process = self.guard.spawn(&mut command, &log);
        wait_within(PATIENCE, "opensearch", || {
            let ended = process.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "opensearch ended with {ended:?}\n{}", log_end(&log));
            answers(self.port).then_some(())
        });
        *self.process.lock() = Some(process);
    }
}

impl Drop for OpenSearch {
    fn drop(&mut self) {
        if let Some(process) = self.process.lock().as_mut() {
            // An error means that it has ended already.
            let _ = process.kill();
            self.guard.wait(process);
        }
    }
}

/// Returns the Python that has the clients of both engines.
pub fn search_python() -> PathBuf {
    let python = directory().join("python/bin/python");
    assert!(python.is_file(), "{} is not there: run scripts/search", python.display());
    python
}

/// Where `scripts/search` puts things.
fn directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("BERTH_SEARCH") {
        return directory.into();
    }
    let below_home = || PathBuf::from(std::env::var_os("HOME").expect("there is a home")).join(".cache");
    let below_cache =
        || std::env::var_os("XDG_CACHE_HOME").map_or_else(below_home, PathBuf::from).join("berth-tools");
    std::env::var_os("BERTH_TOOLS").map_or_else(below_cache, PathBuf::from).join("search")
}

/// It runs on Java 17, not on whichever is the newest here.
fn java() -> PathBuf {
    let found = ["amd64", "arm64"].map(|machine| format!("/usr/lib/jvm/java-17-openjdk-{machine}"));
    let found = found.into_iter().map(PathBuf::from).find(|path| path.join("bin/java").is_file());
    found.expect("Java 17 is not installed: run scripts/packages, or apt-get install openjdk-17-jre-headless")
}

/// Asks for its health, which is good once it has found what it had.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /_cluster/health HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().is_ok_and(|text| {
        ["green", "yellow"].iter().any(|status| text.contains(&format!("\"status\":\"{status}\"")))
    })
}
