//! PostgreSQL: a private cluster on a port of the loopback address.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::guard::Guard;
use crate::patience::{PATIENCE, pause};
use crate::port::free_port;
use crate::program::{User, complaint, find, find_postgres, log_end, run};

/// What every cluster is told, beside what a test adds. Commits are synced, as they are where Berth is used.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("fsync", "on"),
    ("shared_buffers", "64MB"),
    ("shared_preload_libraries", "pg_stat_statements"),
    ("log_min_messages", "warning"),
];

/// How long a killed server's children may keep the next one from starting.
const RESTART: Duration = Duration::from_secs(10);

/// A cluster of its own, with the superuser `berth` and no password. Its files go when it is dropped, or with the test.
#[derive(Debug)]
pub struct Postgres {
    settings: Vec<String>,
    data: PathBuf,
    port: u16,
    server: Mutex<Option<Child>>,
    frozen: AtomicBool,
    user: User,
    // Last: it removes the directory.
    guard: Guard,
}

impl Postgres {
    /// Returns the cluster that the tests of one binary share. It starts when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start_new);
        &SHARED
    }

    /// Starts a cluster.
    pub fn start_new() -> Self {
        Self::with(&[])
    }

    /// Starts a cluster with further settings, which win over this room's.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let cluster = Self::make(settings);
        cluster.start();
        cluster
    }

    /// Starts a cluster that also speaks TLS, with this certificate and its key (PEM).
    pub fn with_tls(certificate: &str, key: &str) -> Self {
        let cluster = Self::make(&[("ssl", "on")]);
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let file = cluster.data.join(name);
            std::fs::write(&file, content).expect("a file can be written");
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a file can be hidden");
            cluster.user.own(&file);
        }
        cluster.start();
        cluster
    }

    fn make(settings: &[(&str, &str)]) -> Self {
        let cluster = Self::prepare(settings);
        let mut initdb = cluster.user.command(&find_postgres("initdb"));
        initdb.args(["--username=berth", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        run(initdb.arg("-D").arg(&cluster.data).current_dir("/"));
        cluster
    }

    /// Chooses place, port and settings of a cluster whose files do not exist yet.
    pub(crate) fn prepare(settings: &[(&str, &str)]) -> Self {
        let (guard, user) = (Guard::new("postgres"), User::unless_root("postgres", "postgresql"));
        user.own(guard.directory());
        let data = guard.directory().join("data");
        let settings =
            SETTINGS.iter().chain(settings).map(|(name, value)| format!("{name}={value}")).collect();
        let (port, server, frozen) = (free_port(), Mutex::new(None), AtomicBool::new(false));
        Self { settings, data, port, server, frozen, user, guard }
    }

    /// Makes this cluster's files a standby's, which will follow `primary`.
    pub(crate) fn copy(&self, primary: &Self) {
        let mut backup = self.user.command(&find_postgres("pg_basebackup"));
        backup.args(["--host=127.0.0.1", "--username=berth", "--wal-method=stream", "--checkpoint=fast"]);
        backup.args(["--write-recovery-conf", "--no-sync", "--port"]).arg(primary.port.to_string());
        run(backup.arg("-D").arg(&self.data).current_dir("/"));
    }

    /// Starts the server, after [`Self::stop`] or [`Self::kill`], on the same port.
    pub fn start(&self) {
        let mut server = self.server.lock();
        assert!(server.is_none(), "it runs already");
        let log = self.data.with_extension("log");
        let began = Instant::now();
        loop {
            let mut command = self.user.command(&find_postgres("postgres"));
            command.arg("-D").arg(&self.data).args(["-p", &self.port.to_string()]);
            command.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
            let mut child = self.guard.spawn(&mut command, &log);
            // After a kill the children of the old server may live for a moment, and the new one refuses to start.
            while child.try_wait().expect("a child can be looked at").is_none() {
                if self.is_ready(child.id()) {
                    *server = Some(child);
                    return;
                }
                pause(Duration::from_millis(5));
                assert!(began.elapsed() < PATIENCE, "PostgreSQL does not get ready: {}", log_end(&log));
            }
            self.guard.wait(&mut child);
            assert!(began.elapsed() < RESTART, "PostgreSQL does not start: {}", log_end(&log));
            pause(Duration::from_millis(100));
        }
    }

    /// The server says in its eighth line how far it is.
    fn is_ready(&self, pid: u32) -> bool {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    /// Stops the server as an administrator would who does not wait for clients.
    pub fn stop(&self) {
        self.end("INT");
    }

    /// Ends the server by a signal that it can't handle.
    pub fn kill(&self) {
        self.end("KILL");
    }

    fn end(&self, signal: &str) {
        self.wake();
        let child = self.server.lock().take().expect("it runs");
        self.guard.end(child, signal);
    }

    /// Makes every process of the server stand still: it takes connections and says nothing.
    pub fn freeze(&self) {
        // The first before its children, so that it makes no more of them.
        self.signal("STOP");
        self.frozen.store(true, Ordering::SeqCst);
        self.signal("STOP");
    }

    /// Lets the server go on where it stood still, as if no time had passed.
    pub fn wake(&self) {
        if self.frozen.swap(false, Ordering::SeqCst) {
            self.signal("CONT");
        }
    }

    /// Signals the server and its children, which are in groups of their own.
    fn signal(&self, signal: &str) {
        let server = self.server.lock();
        let id = server.as_ref().expect("it runs").id().to_string();
        run(Command::new("kill").args(["-s", signal, &id]));
        let mut children = Command::new(find("pkill", "procps"));
        // An error means that there are none.
        let _ = children.args(["--signal", signal, "-P", &id]).status();
    }

    /// Removes the files of a server that was ended.
    pub(crate) fn wipe(&self) {
        assert!(self.server.lock().is_none(), "it runs");
        std::fs::remove_dir_all(&self.data).expect("the files can be removed");
    }

    /// Makes an empty database, and returns the URL that leads to it.
    pub fn database(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::query(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Returns the URL of a database, which need not exist.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://berth@{}/{database}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Runs SQL as someone with the database in hand would: any number of statements, one transaction, rows as lines with
    /// `|` between the columns.
    pub fn query(url: &str, sql: &str) -> String {
        Self::try_query(url, sql).unwrap_or_else(|complaint| panic!("{sql}: {complaint}"))
    }

    /// Runs SQL as [`Self::query`] does, and returns what the database complains about if it does.
    pub fn try_query(url: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(find("psql", "postgresql-client"));
        psql.env("PGCONNECT_TIMEOUT", "10").args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            sql,
        ]);
        let output = psql.output().expect("psql runs");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(complaint(&output))
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.lock().is_some() {
            self.wake();
        }
        if let Some(child) = self.server.lock().take() {
            self.guard.end(child, "QUIT");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Postgres;

    #[test]
    fn databases_are_apart() {
        let cluster = Postgres::shared();
        let (one, two) = (cluster.database(), cluster.database());
        Postgres::query(&one, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)");
        assert_eq!(Postgres::query(&one, "SELECT n, 'x' FROM t"), "7|x");
        assert!(Postgres::try_query(&two, "SELECT n FROM t").unwrap_err().contains("does not exist"));
    }

    #[test]
    fn what_was_committed_outlives_a_kill_and_nothing_else_does() {
        let cluster = Postgres::start_new();
        let database = cluster.database();
        Postgres::query(&database, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)");
        cluster.kill();
        assert!(Postgres::try_query(&database, "SELECT 1").is_err());
        cluster.start();
        cluster.stop();
        cluster.start();
        assert_eq!(Postgres::query(&database, "SELECT n FROM t"), "1");
        cluster.freeze();
        let impatient = format!("{database}?connect_timeout=2");
        assert!(Postgres::try_query(&impatient, "SELECT 1").is_err(), "it stands still");
        cluster.wake();
        assert_eq!(Postgres::query(&database, "SELECT n FROM t"), "1");
        let data = cluster.data.clone();
        assert!(data.exists());
        drop(cluster);
        assert!(!data.exists(), "its files go with it");
    }
}
