//! The move of a catalog to another database: nothing that changes beside it is missed, and one commit ends it.

use std::collections::BTreeSet;

use berth_catalog::moving::{self, Item, Key, Moving, Point, State, Target};
use berth_catalog::{Catalog, Error, manifest, mode, pull, repository, tag};
use berth_engines::Postgres;
use rusqlite::Connection;

use crate::{Fixture, On, Place, config, digest, name};

/// Tables that stay: what they say has no meaning elsewhere, or follows from the rows.
const STAY: [&str; 13] = [
    "access_generation",
    "session",
    "spent",
    "identity",
    "upload",
    "job",
    "trash",
    "ledger",
    "mode",
    "imported",
    "import_source",
    "migration",
    "moving",
];

/// Who may do what, made and changed: names and secrets change places here too.
const ACCESS: &str = "
    INSERT OR IGNORE INTO account (id, name, source, external, must_change, failures, member_of, valid_after, created_at)
        VALUES (1, 'alice', 'oidc', 'x', 0, 0, '[]', 1, 1), (2, 'bob', 'oidc', 'y', 0, 0, '[]', 1, 1);
    UPDATE account SET name = 'swap', external = NULL WHERE id = 1;
    UPDATE account SET name = 'alice', external = 'x', totp = x'00ff' WHERE id = 2;
    UPDATE account SET name = 'bob', external = 'y' WHERE id = 1;
    INSERT OR REPLACE INTO old_password (account_id, changed_at, password) VALUES (1, 5, 'old'), (2, abs(random() % 9), 'old');
    INSERT OR IGNORE INTO app_password (id, account_id, name, secret, created_at, expires_at) VALUES (1, 1, 'a', 's1', 1, 1), (2, 2, 'b', 's2', 1, 1);
    UPDATE app_password SET secret = 's' WHERE id = 1; UPDATE app_password SET secret = 's1' WHERE id = 2;
    UPDATE app_password SET secret = 's2' WHERE id = 1;
    INSERT INTO robot (name, project, description, policies, owner, created_at, valid_after)
        VALUES ('robot+' || hex(randomblob(4)), '', '', '[]', 'alice', 1, 1);
    INSERT INTO robot_secret (robot_id, secret, created_at) SELECT id, hex(randomblob(4)), 1 FROM robot;
    DELETE FROM robot WHERE id = (SELECT max(id) - 1 FROM robot);
    INSERT OR IGNORE INTO project (id, name, public, settings, created_at, created_by) VALUES (1, 'a', 0, '{}', 1, ''), (2, 'b', 0, '{}', 1, '');
    INSERT OR IGNORE INTO role (name, description, policies, changed_at) VALUES ('r', '', '[]', 1);
    INSERT OR IGNORE INTO binding (id, kind, subject, role, project, created_at, created_by)
        VALUES (1, 'user', 'alice', 'r', '', 1, ''), (2, 'user', 'bob', 'r', '', 1, '');
    UPDATE binding SET subject = 'x' WHERE id = 1; UPDATE binding SET subject = 'alice' WHERE id = 2;
    UPDATE binding SET subject = 'bob' WHERE id = 1;
    INSERT INTO subject (pseudonym, name, created_at) VALUES (hex(randomblob(4)), hex(randomblob(4)), 1);
    UPDATE subject SET name = NULL, erased_at = 1 WHERE id = 1;
    INSERT OR IGNORE INTO logout (id, name, valid_after) VALUES (1, 'ops', 1), (2, 'dev', 1);
    UPDATE logout SET name = 'x' WHERE id = 1; UPDATE logout SET name = 'ops' WHERE id = 2; UPDATE logout SET name = 'dev' WHERE id = 1;
    INSERT INTO secret (name, sealed, changed_at) VALUES (hex(randomblob(4)), x'00', 1);
    INSERT INTO signing_key (kid, sealed, public, created_at) VALUES (hex(randomblob(4)), x'00', '{}', 1);
    INSERT INTO vault_key (kid, created_at) VALUES (hex(randomblob(4)), 1)";

/// Both sides.
struct Move {
    from: Fixture,
    to: Fixture,
    moving: Moving,
    target: Target,
}

impl Move {
    async fn begin() -> Self {
        Self::of(Fixture::new(On::Sqlite).await).await
    }

    async fn of(from: Fixture) -> Self {
        let to = Fixture::new(On::Postgres).await;
        let moving = begin(&from, "one").await;
        let target = claim(&to, &moving).await.unwrap();
        Self { from, to, moving, target }
    }

    /// Copies what has not changed since the begin, two rows at a time.
    async fn fill(&mut self) {
        while let Some(table) = moving::tables().nth(self.target.progress().tables) {
            let after = self.target.progress().after.clone();
            let rows =
                self.from.catalog.read(async |r| moving::page(r, table, &after, 2).await).await.unwrap();
            self.target.load(table, &rows).await.unwrap();
        }
    }

    /// Takes in what changed, and compares both sides whole.
    async fn pass(&mut self) -> Result<Point, Error> {
        let mut items = Vec::new();
        let see = |item| {
            items.push(item);
            Ok(())
        };
        let point = moving::changes(&self.from.catalog, self.target.point(), see, || true, |_, _| Ok(()))?;
        self.target.begin_changes().await?;
        let mut ended = 0;
        for item in items {
            match item {
                Item::Rows(table, rows) => self.target.put(table, &rows).await?,
                Item::Gone(table, keys) => self.target.remove(table, &keys).await?,
                Item::End(point) => drop(self.target.end_changes(point).await?),
                Item::Whole(table, here) => {
                    here.compare(&self.target.fingerprint(table).await?, table)?;
                    ended += 1;
                }
            }
        }
        assert_eq!(ended, moving::tables().len());
        self.from.catalog.write(async move |tx| moving::forget(tx, point.change).await).await?;
        Ok(point)
    }

    async fn leave(&self, point: Point) -> bool {
        let (worker, now) = (self.moving.worker.clone(), self.from.now());
        let left = self.from.catalog.write(async move |tx| moving::leave(tx, &worker, point, now).await);
        left.await.unwrap()
    }
}

async fn begin(from: &Fixture, worker: &'static str) -> Moving {
    let now = from.now();
    let begun = from.catalog.write(async move |tx| moving::begin(tx, "id", "there", worker, now).await);
    begun.await.unwrap()
}

async fn claim(to: &Fixture, moving: &Moving) -> Result<Target, Error> {
    let Place::Database(url) = &to.place else { panic!() };
    Target::claim(&config(url), &moving.id, "store", &moving.worker, (true, to.now())).await
}

/// An image with a layer of its own, under a tag.
async fn push(fixture: &Fixture, repository: &str, number: usize, tag: &str) {
    let layer = fixture.push_blob(&name(repository), &format!("layer {number}")).await;
    let config = fixture.push_blob(&name(repository), "config").await;
    fixture.push_manifest(&name(repository), &format!("image {number}"), &[layer, config], &[tag]).await;
}

async fn delete(catalog: &Catalog, repository: &str, tag: &str) {
    let (name, tag) = (name(repository), tag.parse().unwrap());
    let deleted = catalog.write(async move |tx| {
        let repository = repository::find(tx, &name).await?.unwrap();
        if let Some((id, _)) = tag::find(tx, &repository, &tag).await? {
            tag::delete_of(tx, &repository, id).await?;
            manifest::delete(tx, &repository, id, jiff::Timestamp::UNIX_EPOCH).await?;
        }
        Ok::<_, Error>(())
    });
    deleted.await.unwrap();
}

#[tokio::test]
async fn every_table_and_column_moves_or_is_known_to_stay() {
    let fixture = Fixture::new(On::Sqlite).await;
    let Place::Directory(directory) = &fixture.place else { panic!() };
    let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
              WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
        )
        .unwrap();
    let there: BTreeSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let stays = |column: &&String| STAY.iter().any(|table| column.starts_with(&format!("{table}.")));
    let there: BTreeSet<String> = there.iter().filter(|column| !stays(column)).cloned().collect();
    let moves: BTreeSet<String> = moving::tables().flat_map(moving::Table::names).collect();
    assert_eq!(moves, there, "say in moving/table.rs that it moves, or here that it stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_beside_the_move_comes_along() {
    let from = Fixture::new(On::Sqlite).await;
    for number in 0..6 {
        push(&from, "a", number, &format!("v{number}")).await;
    }
    push(&from, "b", 6, "only").await;
    let mut both = Move::of(from).await;
    // Before, amid and after the filling: rows that come, move, go, and give their ids to others.
    push(&both.from, "c", 10, "new").await;
    delete(&both.from.catalog, "a", "v5").await;
    both.fill().await;
    both.pass().await.unwrap();
    assert!(both.target.make_keys().await.unwrap());
    assert!(!both.target.make_keys().await.unwrap(), "they are there");
    for round in 0..3 {
        push(&both.from, "a", 20 + round, "v1").await;
        delete(&both.from.catalog, "c", "new").await;
        push(&both.from, "c", 30 + round, "new").await;
        // Straight in the tables: names and digests change places, an id is used again.
        both.from.alter(
            "UPDATE repository SET name = 'swap' WHERE id = 1; UPDATE repository SET name = 'a2' WHERE id = 2;
             UPDATE repository SET name = 'b2' WHERE id = 1; UPDATE repository SET name = 'a' WHERE id = 1;
             UPDATE repository SET name = 'b' WHERE id = 2;
             UPDATE blob SET digest = 'x' || digest WHERE id IN (1, 2);
             UPDATE blob SET digest = (SELECT substr(digest, 2) FROM blob WHERE id = 2) WHERE id = 1;
             UPDATE blob SET digest = (SELECT 'sha256:' || substr(hex(randomblob(32)), 1, 64)) WHERE id = 2;
             INSERT INTO pull VALUES (1, 'v1', 5, 7) ON CONFLICT DO UPDATE SET count = pull.count + 1",
        );
        both.from.alter(ACCESS);
        both.pass().await.unwrap();
    }
    let delta =
        pull::Delta { repository: name("a"), reference: "v1".into(), count: 3, last_at: both.from.now() };
    both.from.catalog.write(async move |tx| pull::add(tx, &delta).await).await.unwrap();
    let point = both.pass().await.unwrap();
    both.target.make_ready().await.unwrap();
    assert!(both.leave(point).await);
    both.target.open().await.unwrap();
    // Whoever works it now: what has become the truth is not to go.
    let late = claim(&both.to, &Moving { worker: "late".into(), ..both.moving.clone() }).await.unwrap();
    assert!(matches!(late.clear().await, Err(Error::NotFree(_))));
    // The new catalog goes on behind the old one's ids and events.
    push(&both.to, "d", 40, "first").await;
    both.to.alter("INSERT INTO role (name, description, policies, changed_at) VALUES ('new', '', '[]', 1)");
    let last = both.from.catalog.read(async |r| berth_catalog::event::last(r).await).await.unwrap();
    both.to.wait_until_sealed(last.0).await;
}

#[tokio::test]
async fn what_could_not_be_copied_is_noted_again_and_imports_wait() {
    let from = Fixture::new(On::Sqlite).await;
    push(&from, "a", 1, "v1").await;
    let catalog = &from.catalog;
    catalog.read(async |r| moving::refuse_leaving(r).await).await.unwrap();
    begin(&from, "one").await;
    let leaving = catalog.read(async |r| moving::refuse_leaving(r).await).await;
    assert!(matches!(leaving, Err(Error::Leaving(there)) if there == "there"));

    let (whole, unknown) = (digest("config").to_string(), digest("unknown").to_string());
    let asked = vec![whole.clone(), unknown];
    let healthy = catalog.read(async |r| moving::healthy(r, &asked).await).await.unwrap();
    assert_eq!(healthy, [whole]);
    assert_eq!(catalog.read(async |r| moving::waiting(r).await).await.unwrap(), 0);
    catalog.write(async move |tx| moving::again(tx, &asked).await).await.unwrap();
    assert_eq!(catalog.read(async |r| moving::waiting(r).await).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commit_ends_it_and_nothing_is_written_behind_it() {
    let mut both = Move::begin().await;
    push(&both.from, "a", 1, "v1").await;
    both.fill().await;
    let point = both.pass().await.unwrap();
    push(&both.from, "a", 2, "v2").await;
    assert!(!both.leave(point).await, "something changed");
    let found = both.from.catalog.read(async |r| moving::find(r).await).await.unwrap().unwrap();
    assert_eq!(found.state, State::Copying);
    let point = both.pass().await.unwrap();
    assert!(both.leave(point).await);

    let (repository, now) = (name("late"), both.from.now());
    let late = both.from.catalog.write(async move |tx| repository::ensure(tx, &repository, now).await);
    assert!(matches!(late.await, Err(Error::Moved)));
    let rests = both.from.catalog.read(async |r| mode::rests(r, now).await).await.unwrap();
    assert_eq!(rests, Some(mode::Rest::Moved));
    let cancelled = both.from.catalog.write(async |tx| moving::cancel(tx).await).await;
    assert!(matches!(cancelled, Err(Error::Moved)));
    // A process that knows nothing of moves can't either.
    let Place::Directory(directory) = &both.from.place else { panic!() };
    let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
    for table in moving::tables() {
        let refused = connection.execute(&format!("DELETE FROM {}", table.name), []);
        let empty: i64 = connection
            .query_row(&format!("SELECT COUNT(*) FROM {}", table.name), [], |row| row.get(0))
            .unwrap();
        assert!(refused.is_err() || empty == 0, "{}", table.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_later_takes_over_and_a_switch_that_rests_ends_by_itself() {
    let mut both = Move::begin().await;
    push(&both.from, "a", 1, "v1").await;
    let later = begin(&both.from, "two").await;
    assert_eq!((later.id.as_str(), later.worker.as_str()), ("id", "two"));
    let mut target = claim(&both.to, &later).await.unwrap();
    let table = moving::tables().next().unwrap();
    assert!(matches!(both.target.load(table, &[]).await, Err(Error::TakenOver)));
    target.load(table, &[]).await.unwrap();
    assert_eq!(target.progress().after, Key::default());

    let (catalog, now) = (&both.from.catalog, both.from.now());
    let until = now + jiff::SignedDuration::from_secs(5);
    let stale = catalog.write(async move |tx| moving::rest(tx, "one", Some(until), now).await).await;
    assert!(matches!(stale, Err(Error::TakenOver)));
    catalog.write(async move |tx| moving::rest(tx, "two", Some(until), now).await).await.unwrap();
    for (at, rests) in [(now, Some(mode::Rest::Switching)), (until, None)] {
        assert_eq!(catalog.read(async |r| mode::rests(r, at).await).await.unwrap(), rests);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_used_is_refused_and_a_cleared_one_is_as_new() {
    let mut both = Move::begin().await;
    push(&both.from, "a", 1, "v1").await;
    let other = Moving { id: "other".into(), ..both.moving.clone() };
    let Place::Database(url) = &both.to.place else { panic!() };
    let (url, settings) = (url.clone(), config(url));
    let foreign = Target::claim(&settings, "other", "another store", "x", (true, both.to.now())).await;
    assert!(matches!(foreign, Err(Error::NotFree(_))));
    both.fill().await;
    both.pass().await.unwrap();
    // From the same store: what was cancelled there is removed here.
    let again = claim(&both.to, &other).await.unwrap();
    assert_eq!(again.progress().tables, 0);
    again.clear().await.unwrap();
    assert_eq!(Postgres::query(&url, "SELECT COUNT(*) FROM manifest_blob"), "0");
    push(&both.to, "a", 1, "v1").await;
    assert!(matches!(claim(&both.to, &other).await, Err(Error::NotFree(_))), "it is used");
    both.from.catalog.write(async |tx| moving::cancel(tx).await).await.unwrap();
    push(&both.from, "a", 2, "v2").await;
    assert_eq!(both.from.catalog.read(async |r| moving::find(r).await).await.unwrap(), None);
}
