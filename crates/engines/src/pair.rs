//! A primary and the standby that takes over.

use crate::Postgres;
use crate::patience::wait_for;

/// A primary whose every commit waits for the standby, so that nothing acknowledged is lost when it fails.
#[derive(Debug)]
pub struct PostgresPair {
    primary: Postgres,
    standby: Postgres,
}

impl PostgresPair {
    /// Starts both, and waits until the standby follows.
    pub fn start() -> Self {
        let primary = Postgres::start_new();
        let standby = Postgres::prepare(&[]);
        standby.copy(&primary);
        standby.start();
        let admin = primary.url("postgres");
        // Said to the primary alone: a promoted standby has nobody to wait for.
        Postgres::query(&admin, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        Postgres::query(&admin, "SELECT pg_reload_conf()");
        wait_for("the standby to follow", || {
            let state = Postgres::query(&admin, "SELECT sync_state FROM pg_stat_replication");
            (state == "sync").then_some(())
        });
        Self { primary, standby }
    }

    /// Makes an empty database on both, and returns its URL: both hosts, of which a client takes the one that writes.
    pub fn database(&self) -> String {
        let url = self.primary.database();
        let name = url.rsplit('/').next().unwrap_or_default();
        self.url(name)
    }

    /// Returns the URL of a database, with both hosts.
    pub fn url(&self, database: &str) -> String {
        let (primary, standby) = (self.primary.address(), self.standby.address());
        format!("postgres://berth@{primary},{standby}/{database}?target_session_attrs=read-write")
    }

    /// The server that writes, until it is killed.
    pub fn primary(&self) -> &Postgres {
        &self.primary
    }

    /// The server that follows, until it is promoted.
    pub fn standby(&self) -> &Postgres {
        &self.standby
    }

    /// Ends the primary by a signal that it can't handle.
    pub fn kill_primary(&self) {
        self.primary.kill();
    }

    /// Makes the standby a primary, and waits until it is.
    pub fn promote(&self) {
        let promoted = Postgres::query(&self.standby.url("postgres"), "SELECT pg_promote(true, 60)");
        assert_eq!(promoted, "t", "the standby could not be promoted");
    }
}

#[cfg(test)]
mod tests {
    use super::PostgresPair;
    use crate::Postgres;

    #[test]
    fn the_standby_takes_over_with_everything() {
        let pair = PostgresPair::start();
        let url = pair.database();
        Postgres::query(&url, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)");
        pair.kill_primary();
        assert!(Postgres::try_query(&url, "INSERT INTO t VALUES (2)").is_err(), "nobody writes now");
        pair.promote();
        Postgres::query(&url, "INSERT INTO t VALUES (3)");
        assert_eq!(Postgres::query(&url, "SELECT n FROM t ORDER BY n"), "1\n3");
    }
}
