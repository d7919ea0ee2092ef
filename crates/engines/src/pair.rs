//! A primary and the standby that takes over.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Postgres;
use crate::patience::wait_for;

/// A primary whose every commit waits for the standby, so that nothing acknowledged is lost when it fails.
#[derive(Debug)]
pub struct PostgresPair {
    servers: [Postgres; 2],
    /// Which of the two was promoted last.
    primary: AtomicUsize,
}

impl PostgresPair {
    /// Starts both, and waits until the standby follows.
    pub fn start() -> Self {
        let servers = [Postgres::start_new(), Postgres::prepare(&[])];
        let pair = Self { servers, primary: AtomicUsize::new(0) };
        pair.follow();
        pair
    }

    /// Starts the standby on a copy of the primary; from then on commits wait for it.
    fn follow(&self) {
        let (primary, standby) = (self.primary(), self.standby());
        standby.copy(primary);
        standby.start();
        let admin = primary.url("postgres");
        // Said to the primary alone: a promoted standby has nobody to wait for.
        Postgres::query(&admin, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        Postgres::query(&admin, "SELECT pg_reload_conf()");
        wait_for("the standby to follow", || {
            let state = Postgres::query(&admin, "SELECT sync_state FROM pg_stat_replication");
            (state == "sync").then_some(())
        });
    }

    /// Makes an empty database on both, and returns its URL: both hosts, of which a client takes the one that writes.
    pub fn database(&self) -> String {
        let url = self.primary().database();
        let name = url.rsplit('/').next().unwrap_or_default();
        self.url(name)
    }

    /// Returns the URL of a database, with both hosts.
    pub fn url(&self, database: &str) -> String {
        let [one, other] = self.servers.each_ref().map(Postgres::address);
        format!("postgres://berth@{one},{other}/{database}?target_session_attrs=read-write")
    }

    /// Both, in the order of the URL.
    pub fn servers(&self) -> &[Postgres; 2] {
        &self.servers
    }

    /// The server that writes, until it is killed: the one that was promoted last.
    pub fn primary(&self) -> &Postgres {
        &self.servers[self.primary.load(Ordering::SeqCst)]
    }

    /// The other one, which follows; after a promotion the one that was the primary, and that may not know it.
    pub fn standby(&self) -> &Postgres {
        &self.servers[1 - self.primary.load(Ordering::SeqCst)]
    }

    /// Ends the primary by a signal that it can't handle.
    pub fn kill_primary(&self) {
        self.primary().kill();
    }

    /// Makes the standby a primary, and waits until it is. The old primary is not asked, and hears nothing of it.
    pub fn promote(&self) {
        let promoted = Postgres::query(&self.standby().url("postgres"), "SELECT pg_promote(true, 60)");
        assert_eq!(promoted, "t", "the standby could not be promoted");
        self.primary.fetch_xor(1, Ordering::SeqCst);
    }

    /// Makes of an old primary that was ended a standby of the new one, and waits until it follows.
    pub fn rejoin(&self) {
        self.standby().wipe();
        self.follow();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::PostgresPair;
    use crate::Postgres;
    use crate::patience::pause;

    #[test]
    fn the_standby_takes_over_with_everything_and_back() {
        let pair = PostgresPair::start();
        let url = pair.database();
        Postgres::query(&url, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)");
        pair.kill_primary();
        assert!(Postgres::try_query(&url, "INSERT INTO t VALUES (2)").is_err(), "nobody writes now");
        pair.promote();
        Postgres::query(&url, "INSERT INTO t VALUES (3)");
        pair.rejoin();
        Postgres::query(&url, "INSERT INTO t VALUES (4)");
        pair.kill_primary();
        pair.promote();
        assert_eq!(Postgres::query(&url, "SELECT n FROM t ORDER BY n"), "1\n3\n4");
    }

    /// What this rests on wherever it is used: a primary that lost its standby acknowledges nothing.
    #[test]
    fn an_old_primary_commits_nothing_any_more() {
        let pair = PostgresPair::start();
        let url = pair.database();
        Postgres::query(&url, "CREATE TABLE t (n BIGINT)");
        let old = url.replace(&format!(",{}", pair.standby().address()), "");
        pair.promote();
        std::thread::scope(|scope| {
            let insert = scope.spawn(|| Postgres::try_query(&old, "INSERT INTO t VALUES (1)"));
            pause(Duration::from_millis(500));
            assert!(!insert.is_finished(), "the old primary acknowledged");
            pair.standby().kill();
            assert!(insert.join().expect("no panic").is_err(), "the old primary acknowledged");
        });
    }
}
