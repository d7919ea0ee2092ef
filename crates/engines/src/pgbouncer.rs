//! `PgBouncer`: a pooler that lends a server connection for one transaction only.

use std::net::{SocketAddr, TcpStream};
use std::process::Child;

use crate::Postgres;
use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{User, find, log_end};

/// A pooler in front of a cluster, in transaction mode, without any understanding of prepared statements.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    pooler: Option<Child>,
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
             max_client_conn = 500\n",
            server.ip(),
            server.port(),
            users.display(),
        );
        std::fs::write(&file, settings).expect("a file can be written");
        std::fs::write(&users, "\"berth\" \"\"\n").expect("a file can be written");
        let log = guard.directory().join("pgbouncer.log");
        let mut command = user.command(&find("pgbouncer", "pgbouncer"));
        let mut child = guard.spawn(command.arg(&file), &log);
        wait_for("pgbouncer", || {
            let ended = child.try_wait().expect("a child can be looked at");
            assert!(ended.is_none(), "pgbouncer does not start: {}", log_end(&log));
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { port, pooler: Some(child), guard }
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
        if let Some(child) = self.pooler.take() {
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
    }
}
