//! Searches of the audit trail over ten million records.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::bench::{Bench, say};
use crate::engine;
use crate::figure::{Against, Goal, Line, Table, at_most};
use crate::http::{Body, Client};
use crate::roster::BERTH;
use crate::server::Server;

const NOTE: &str = "Berth alone, one client, over HTTP. Records lie evenly in the last year: of a hundred 70 are pulls and 20 pushes, of \
    forty projects, 5,000 repositories and 1,000 persons. They are written by SQL, their hashes are random. First is the first time that \
    a search is asked after a start, with the pages in the system's cache or not, as they happen to be.";
const STATES: [&str; 4] = ["SQLite, first", "SQLite", "Postgres, first", "Postgres"];

/// Counts the records that were written by SQL, as the trail counts its own.
const HOURS: &str = "DELETE FROM trail_hour;
    INSERT INTO trail_hour (hour, action, outcome, records)
    SELECT at - at % 3600000000, action, outcome, COUNT(*) FROM trail_record GROUP BY 1, 2, 3";

/// What is asked, and what it may take in milliseconds.
const SEARCHES: [(&str, Option<f64>, &str); 8] = [
    (
        "pushes of the last hour",
        Some(100.0),
        r#"{"query":{"bool":{"must":[{"term":{"action":"push"}},{"range":{"@timestamp":{"gte":"now-1h"}}}]}}}"#,
    ),
    (
        "`date_histogram` by days over all",
        Some(2000.0),
        r#"{"size":0,"aggs":{"x":{"date_histogram":{"field":"@timestamp","calendar_interval":"day"}}}}"#,
    ),
    (
        "`date_histogram` by hours over all pushes",
        Some(2000.0),
        r#"{"size":0,"query":{"term":{"action":"push"}},"aggs":{"x":{"date_histogram":{"field":"@timestamp","fixed_interval":"1h"}}}}"#,
    ),
    ("`terms` of actions over all", None, r#"{"size":0,"aggs":{"x":{"terms":{"field":"action"}}}}"#),
    (
        "`terms` of repositories over all",
        None,
        r#"{"size":0,"aggs":{"x":{"terms":{"field":"berth.repository"}}}}"#,
    ),
    (
        "the last ten of a person",
        Some(100.0),
        r#"{"query":{"term":{"user.id":"u-00000000"}},"sort":[{"@timestamp":"desc"}]}"#,
    ),
    (
        "the last ten failures",
        Some(100.0),
        r#"{"query":{"term":{"event.outcome":"failure"}},"sort":[{"@timestamp":"desc"}]}"#,
    ),
    (
        "failures of a network in 30 days",
        None,
        r#"{"query":{"bool":{"filter":[{"term":{"event.outcome":"failure"}},{"term":{"source.ip":"10.3.0.0/16"}},{"range":{"@timestamp":{"gte":"now-30d"}}}]}}}"#,
    ),
];

/// Measures searches on both databases.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let records: u64 = if bench.quick { 1_000_000 } else { 10_000_000 };
    let mut table =
        Table::states("Audit searches", format!("{records} records. {NOTE}"), &STATES.map(str::to_owned));
    let mut lines: Vec<Line> = SEARCHES
        .iter()
        .map(|(what, most, _)| {
            let goals: Vec<Goal> = most.iter().map(|most| at_most(*most, Against::Nothing)).collect();
            Line::cost(*what, "ms").goals(&goals)
        })
        .collect();
    let directory = bench.roster.fresh_directory("SQLite")?;
    start(bench, "SQLite", &directory, None)?.end();
    say("audit: filling SQLite");
    fill_file(&directory.join("data/audit.db"), records)?;
    let server = start(bench, "SQLite", &directory, None)?;
    measure(bench, &server, [STATES[0], STATES[1]], &mut lines)?;
    server.stop();

    let postgres = engine::postgres(&[])?;
    let url = engine::database(&postgres)?;
    let directory = bench.roster.fresh_directory("Postgres")?;
    let server = start(bench, "Postgres", &directory, Some(&url))?;
    say("audit: filling Postgres");
    for first in (1..=records).step_by(1_000_000) {
        engine::query(&url, &insert(first, first + 999_999, records, false))?;
    }
    engine::query(&url, HOURS)?;
    engine::query(&url, &format!("UPDATE trail_head SET position = {records}"))?;
    engine::query(&url, "VACUUM ANALYZE trail_record")?;
    measure(bench, &server, [STATES[2], STATES[3]], &mut lines)?;
    server.stop();
    table.lines.extend(lines);
    Ok(table)
}

/// Starts a node that lets anybody on this machine search.
fn start(bench: &Bench, column: &str, directory: &Path, database: Option<&str>) -> Result<Server> {
    bench.roster.start_configured_in(BERTH, column, directory, |address, directory| {
        let database = database.map_or_else(String::new, |url| format!("database:\n  url: {url}\n"));
        Ok(format!(
            "data_dir: {}\naudit:\n  retention_days: 3650\nhttp:\n  listen: [\"{address}\"]\naccess:\n  anonymous: write\n  bindings:\n    - role: auditor\n      \
             subjects: [anonymous]\n{database}",
            directory.join("data").display()
        ))
    })
}

fn measure(bench: &Bench, server: &Server, columns: [&str; 2], lines: &mut [Line]) -> Result<()> {
    let mut client = Client::new(server.address);
    for ((what, _, body), line) in SEARCHES.iter().zip(lines) {
        for round in 0..=bench.runs() {
            let begun = Instant::now();
            let fields = [("Content-Type", "application/json")];
            client
                .send("POST", "/api/v1/audit/_search", &fields, Body::Bytes(body.as_bytes()))?
                .expect(200)?;
            let took = begun.elapsed().as_secs_f64() * 1000.0;
            say(&format!("audit: {what}: {took:.1} ms"));
            line.add(columns[usize::from(round > 0)], took);
        }
    }
    Ok(())
}

/// Fills a file that no server has open, by the SQLite that comes with Python.
fn fill_file(file: &Path, records: u64) -> Result<()> {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  c.execute('PRAGMA synchronous = OFF')\nfor sql in sys.stdin.read().split(';'): c.execute(sql)\n";
    let mut sql: Vec<String> =
        (1..=records).step_by(1_000_000).map(|first| insert(first, first + 999_999, records, true)).collect();
    sql.push(HOURS.to_owned());
    sql.push(format!("UPDATE trail_head SET position = {records}"));
    let input = file.with_extension("sql");
    std::fs::write(&input, sql.join(";"))?;
    let status = Command::new("python3")
        .args(["-c", script])
        .arg(file)
        .stdin(std::fs::File::open(&input)?)
        .status()?;
    std::fs::remove_file(input)?;
    ensure!(status.success(), "{} was not filled", file.display());
    Ok(())
}

/// Records from one position to another, as both databases make them. The first records of a server that has run give way.
fn insert(first: u64, last: u64, records: u64, is_sqlite: bool) -> String {
    let numbers = if is_sqlite {
        format!(
            "(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n) AS n"
        )
    } else {
        format!("generate_series(CAST({first} AS BIGINT), {last}) AS n(i)")
    };
    let (now, bytes) = if is_sqlite {
        ("CAST(strftime('%s', 'now') AS INTEGER) * 1000000", "randomblob(32)")
    } else {
        (
            "CAST(extract(epoch FROM now()) AS BIGINT) * 1000000",
            "decode(md5(CAST(i AS TEXT)) || md5(CAST(-i AS TEXT)), 'hex')",
        )
    };
    let step = 365 * 86_400 * 1_000_000_u64 / records;
    let fresh = if first == 1 { "DELETE FROM trail_record; " } else { "" };
    format!(
        "{fresh}INSERT INTO trail_record (position, id, at, action, outcome, actor, kind, proof, project, repository, tag, digest, status,
                                   request_id, client, agent, personal, detail, hash)
         SELECT i, 'record-' || i, {now} - ({records} - i) * {step},
                CASE WHEN h < 70 THEN 'pull' WHEN h < 90 THEN 'push' WHEN h < 95 THEN 'login' WHEN h < 98 THEN 'delete' ELSE 'list' END,
                CASE WHEN j % 50 = 0 THEN 'failure' ELSE 'success' END,
                CASE WHEN j % 3 = 0 THEN 'robot+p' || (j % 40) || '+ci' ELSE 'u-' || substr('0000000' || (j % 1000), -8) END,
                CASE WHEN j % 3 = 0 THEN 'robot' ELSE 'user' END, CASE WHEN j % 3 = 0 THEN 'robot_secret' ELSE 'password' END,
                CASE WHEN h BETWEEN 90 AND 94 THEN NULL ELSE 'p' || (j % 40) END,
                CASE WHEN h BETWEEN 90 AND 94 THEN NULL ELSE 'p' || (j % 40) || '/service-' || (j % 5000) END,
                CASE WHEN h BETWEEN 90 AND 94 THEN NULL ELSE 'v1.' || (j % 300) END,
                CASE WHEN h BETWEEN 90 AND 94 THEN NULL ELSE 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef' || (1000000000000000 + j) END,
                CASE WHEN j % 50 = 0 THEN 403 ELSE 200 END, 'request-' || i, '10.' || (j % 8) || '.' || (j % 250) || '.' || (j % 200),
                'containerd/2.1.' || (j % 9), {bytes}, '{{\"previous\":\"sha256:0123456789abcdef0123456789abcdef\"}}', {bytes}
           FROM (SELECT i, (i * 7919 + i / 13) % 100 AS h, (i * 2654435761) % 1000003 AS j FROM {numbers}) AS made"
    )
}
