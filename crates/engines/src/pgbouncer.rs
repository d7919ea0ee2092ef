//! `PgBouncer`: a pooler that lends a server connection for one transaction only.

use std::net::{SocketAddr, TcpStream};
use std::process::Child;

use parking_lot::Mutex;

use crate::Postgres;
use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{User, find, log_end};

/// A pooler in front of a cluster, in transaction mode, without any understanding of prepared statements. It asks again each
/// second for a server that is away, not each 15 seconds as it would by itself.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    user: User,
    pooler: Mutex<Option<Child>>,
    // Last: it removes the directory.
    guard: Guard,
}

impl PgBouncer {
    /// Starts a pooler that keeps `connections` to each database of `cluster`.
    pub fn before(cluster: &Postgres, connections: usize) -> Self {
        let (guard, user) = (Guard::new("pgbouncer"), User::unless_root("postgres", "pgbouncer"));
        user.own(guard.directory());
        let (port, server) = (free_port(), cluster.address());
        let (file, users) = (guard.directory().join("pgbouncer.ini"), guard.directory().join("users.txt"));
        let settings = format!(
            "[databases]\n\
             * = host={} port={} user=berth\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = trust\n\
             auth_file = {}\n\
             pool_mode = transaction\n\
             default_pool_size = {connections}\n\
             max_client_conn = 500\n\
             server_login_retry = 1\n",
            server.ip(),
            server.port(),
            users.display(),
        );
        std::fs::write(&file, settings).expect("a file can be written");
        std::fs::write(&users, "\"berth\" \"\"\n").expect("a file can be written");
        let pooler = Self { port, user, pooler: Mutex::new(None), guard };
        pooler.start();
        pooler
    }

    /// Starts the pooler, after [`Self::kill`], on the same port.
    pub fn start(&self) {
        let mut pooler = self.pooler.lock();
        assert!(pooler.is_none(), "it runs already");
        let directory = self.guard.directory();
        let log = directory.join("pgbouncer.log");
        let mut command = self.user.command(&find("pgbouncer", "pgbouncer"));
        let child = pooler.insert(self.guard.spawn(command.arg(directory.join("pgbouncer.ini")), &log));
        wait_for("pgbouncer", || {
            let ended = child.try_wait().expect("a child can be looked at");
            assert!(ended.is_none(), "pgbouncer does not start: {}", log_end(&log));
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Ends the pooler by a signal that it can't handle, and so every connection through it.
    pub fn kill(&self) {
        let child = self.pooler.lock().take().expect("it runs");
        self.guard.end(child, "KILL");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Returns the URL that leads to a database through the pooler.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://berth@{}/{database}", self.address())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(child) = self.pooler.lock().take() {
            self.guard.end(child, "TERM");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PgBouncer;
    use crate::Postgres;

    #[test]
    fn it_lends_its_connections() {
        let pooler = PgBouncer::before(Postgres::shared(), 1);
        assert_eq!(Postgres::query(&pooler.url("postgres"), "SELECT 1"), "1");
        pooler.kill();
        assert!(Postgres::try_query(&pooler.url("postgres"), "SELECT 1").is_err());
        pooler.start();
        assert_eq!(Postgres::query(&pooler.url("postgres"), "SELECT 2"), "2");
    }
}
