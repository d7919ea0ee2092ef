//! Every statement of the crate, read from its source: it must compile, and it must not read a whole table.

use std::path::Path;

use berth_catalog::moving;
use berth_engines::Postgres;
use jiff::Timestamp;

use crate::{Fixture, On, Place};

/// Statements that count or audit everything, and say so in their documentation.
const WHOLE_TABLE: &[&str] = &[
    "COUNT(",
    "FROM trail_hour WHERE records > 0",
    // An erasure, by the machine's operator.
    "UPDATE robot SET owner = ''",
    "FROM manifest AS m JOIN repository AS r ON r.id = m.repository_id\n          WHERE m.id > $1",
];

/// Files whose statements one database alone runs.
const OF_SQLITE: [&str; 5] =
    ["driver/sqlite.rs", "migrate.rs", "writer.rs", "moving/source.rs", "moving/view.rs"];
const OF_POSTGRES: &str = "postgres/";
/// Files whose statements are made for each table that moves; the tests of moves run every one.
const MADE: [&str; 3] = ["moving/sql.rs", "moving/trigger.rs", "postgres/moving/apply.rs"];

/// Reads the statements out of the files that `wanted` wants, by their path below `src`.
fn statements(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![top.clone()];
    while let Some(file) = files.pop() {
        if file.is_dir() {
            files.extend(std::fs::read_dir(file).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = file.strip_prefix(&top).unwrap().to_str().unwrap();
        if MADE.contains(&name) || !wanted(name) {
            continue;
        }
        let source = std::fs::read_to_string(file).unwrap();
        for literal in source.split('"').skip(1).step_by(2) {
            let verb = literal.split_whitespace().next().unwrap_or_default();
            if ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&verb)
                && !literal.contains("migration")
            {
                found.push(literal.to_owned());
            }
        }
    }
    found
}

/// The database refuses what it can't parse, what names no table or column of the schema, and what compares text to numbers.
#[tokio::test]
async fn each_is_valid_on_postgres() {
    let fixture = Fixture::new(On::Postgres).await;
    let _trail = crate::trail::open(&fixture).await;
    let Place::Database(url) = &fixture.place else { panic!() };
    let statements = statements(|file| !OF_SQLITE.contains(&file) && file != "ledger.rs");
    assert!(statements.len() > 60, "only {} found: is the search broken?", statements.len());
    // 64 bits in one database, 32 in the other: preparing does not see it, reading the column fails.
    for sql in &statements {
        assert!(!sql.contains("AS INTEGER"), "cast to BIGINT: {sql}");
    }
    let prepares: Vec<String> = statements.iter().enumerate().map(|(n, sql)| prepare(n, sql)).collect();
    if Postgres::try_query(url, &prepares.join(";\n")).is_ok() {
        return;
    }
    let wrong = prepares.iter().filter_map(|sql| Some(Postgres::try_query(url, sql).err()? + ": " + sql));
    panic!("{}", wrong.collect::<Vec<_>>().join("\n"));
}

fn prepare(number: usize, sql: &str) -> String {
    // The only one whose types don't follow from its text is sent with them.
    let types = if sql.contains("UNNEST") {
        "(INT8[], TEXT[], INT8[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], TEXT[], BYTEA[])"
    } else {
        ""
    };
    format!("PREPARE statement_{number}{types} AS {sql}")
}

#[tokio::test]
async fn each_is_valid_and_uses_an_index() {
    let fixture = Fixture::new(On::Sqlite).await;
    let Place::Directory(directory) = &fixture.place else { panic!() };
    // A move makes a table of its own.
    let begun = fixture.catalog.write(async |tx| moving::begin(tx, "", "", "", Timestamp::UNIX_EPOCH).await);
    begun.await.unwrap();
    // And triggers, whose steps would be taken for those of the statements that fire them.
    for table in moving::tables().filter(|table| table.name != "event") {
        for suffix in ["insert", "update", "key", "delete"] {
            fixture.alter(&format!("DROP TRIGGER moving_{}_{suffix}", table.name));
        }
    }
    let connection = rusqlite::Connection::open(directory.path().join("catalog.db")).unwrap();
    // The trail's statements run on a file of its own.
    let _trail = crate::trail::open(&fixture).await;
    let attach = format!("ATTACH '{}' AS audit", directory.path().join("audit.db").display());
    connection.execute_batch(&attach).unwrap();
    let statements = statements(|file| !file.starts_with(OF_POSTGRES));
    assert!(statements.len() > 60, "only {} found: is the search broken?", statements.len());
    for sql in statements {
        let count = (1..=20).filter(|n| sql.contains(&format!("${n}"))).count();
        let mut explained = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        let params = vec![rusqlite::types::Value::Null; count];
        let plan: Vec<String> = explained
            .query_map(rusqlite::params_from_iter(params), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // A search by a repository alone, or by a bare row id range, reads as much as a scan does.
        let wide = |step: &&String| {
            step.starts_with("SEARCH") && (step.ends_with("(repository_id=?)") || step.ends_with("(rowid>?)"))
        };
        let ordered = sql.contains("ORDER BY") && sql.contains("LIMIT") || sql.contains("EXISTS");
        let wide: Vec<_> = plan.iter().filter(wide).filter(|_| !ordered).collect();
        assert!(wide.is_empty(), "{wide:?}: {sql}");
        let scans: Vec<_> = plan
            .iter()
            .filter(|step| step.starts_with("SCAN"))
            // A recursive step, no table at all but values, or an index that holds open jobs, or what waits, only.
            .filter(|step| {
                !["below", "CONSTANT ROW", "VALUES CLAUSE", "INDEX job_due", "INDEX account_of_harbor"]
                    .iter()
                    .any(|fine| step.contains(fine))
            })
            .collect();
        // A table read in the order of its key, up to a limit, ends early.
        let ends_early =
            sql.contains("LIMIT") && !sql.contains("WHERE") && !plan.iter().any(|step| step.contains("TEMP"));
        assert!(
            ends_early || scans.is_empty() || WHOLE_TABLE.iter().any(|known| sql.contains(known)),
            "{scans:?}: {sql}"
        );
    }
}
