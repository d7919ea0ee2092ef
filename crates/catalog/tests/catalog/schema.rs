//! Both databases hold the same tables: the same columns, nullable or not, and the same unique keys.

use std::collections::BTreeSet;

use berth_engines::Postgres;
use rusqlite::Connection;

use crate::{Fixture, On, Place};

/// What many nodes need and one process does not.
const OF_POSTGRES: [&str; 5] = ["event_head", "event_unsealed", "generation", "ledger_delta", "turn"];

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (sqlite, postgres) = (Fixture::new(On::Sqlite).await, Fixture::new(On::Postgres).await);
    let (Place::Directory(directory), Place::Database(url)) = (&sqlite.place, &postgres.place) else {
        panic!()
    };
    let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
    let (here, there) = (of_sqlite(&connection), of_postgres(url));
    assert!(here.len() > 80, "only {} facts: is the search broken?", here.len());
    let differences: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    for table in OF_POSTGRES {
        Postgres::query(url, &format!("SELECT * FROM {table}"));
    }
}

#[tokio::test]
async fn both_trails_have_the_same_tables() {
    let (sqlite, postgres) = (Fixture::new(On::Sqlite).await, Fixture::new(On::Postgres).await);
    let _trails = [crate::trail::open(&sqlite).await, crate::trail::open(&postgres).await];
    let (Place::Directory(directory), Place::Database(url)) = (&sqlite.place, &postgres.place) else {
        panic!()
    };
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    let of_trail = |facts: BTreeSet<String>| -> BTreeSet<String> {
        let name = |fact: &String| fact.trim_start_matches("unique ").to_owned();
        let is_of_trail =
            |fact: &String| name(fact).starts_with("trail_") && !name(fact).starts_with("trail_migration");
        facts.into_iter().filter(is_of_trail).collect()
    };
    let (here, there) = (of_trail(of_sqlite(&connection)), of_trail(of_postgres(url)));
    assert!(here.len() > 25, "only {} facts: is the search broken?", here.len());
    let differences: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn rows(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| (0..width).map(|column| row.get(column)).collect();
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

fn of_sqlite(connection: &Connection) -> BTreeSet<String> {
    let columns = rows(
        connection,
        "SELECT t.name || '.' || c.name, c.type,
                CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 'not null' ELSE 'null' END
           FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    );
    let keys = rows(
        connection,
        "SELECT 'unique ' || t.name || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')',
                CASE WHEN i.partial = 1 THEN 'some' ELSE 'all' END
           FROM sqlite_schema AS t, pragma_index_list(t.name) AS i
          WHERE t.type = 'table' AND i.\"unique\" = 1
         UNION ALL
         SELECT 'unique ' || t.name || ' (' || c.name || ')', 'all'
           FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
          WHERE t.type = 'table' AND c.pk = 1 AND c.type = 'INTEGER'
            AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) AS other WHERE other.pk = 2)",
    );
    let same = |kind: &str| match kind {
        "INTEGER" => "bigint".to_owned(),
        "BLOB" => "bytea".to_owned(),
        other => other.to_lowercase(),
    };
    let columns = columns.iter().map(|row| format!("{} {} {}", row[0], same(&row[1]), row[2]));
    columns.chain(keys.iter().map(|row| row.join(" "))).collect()
}

fn of_postgres(url: &str) -> BTreeSet<String> {
    let columns = Postgres::query(
        url,
        "SELECT t.relname || '.' || c.attname || ' ' || format_type(c.atttypid, NULL) ||
                CASE WHEN c.attnotnull THEN ' not null' ELSE ' null' END
           FROM pg_class AS t JOIN pg_attribute AS c ON c.attrelid = t.oid
          WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND c.attnum > 0 AND NOT c.attisdropped",
    );
    let keys = Postgres::query(
        url,
        "SELECT 'unique ' || t.relname || ' (' ||
                (SELECT string_agg(c.attname, ', ' ORDER BY k.place)
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
                   JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum = k.number) || ') ' ||
                CASE WHEN i.indpred IS NULL THEN 'all' ELSE 'some' END
           FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
          WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace",
    );
    let of_both = |fact: &&str| {
        let table = fact.trim_start_matches("unique ").split(['.', ' ']).next().unwrap_or_default();
        !OF_POSTGRES.contains(&table)
    };
    // What SQLite keeps in the table `ledger` is a view there, of this table and what was not added to it yet.
    let total = |fact: &str| fact.replacen("ledger_total", "ledger", 1);
    columns.lines().chain(keys.lines()).filter(of_both).map(total).collect()
}
