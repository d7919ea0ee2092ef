//! The database's log of every statement, told apart by what sent them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use berth_engines::Postgres;

use crate::engine::query;
use crate::server::pause;

/// Makes a Postgres (15 or newer) log each statement as a JSON object.
pub(crate) const SETTINGS: [(&str, &str); 6] = [
    ("log_statement", "all"),
    ("logging_collector", "on"),
    ("log_destination", "jsonlog"),
    ("log_filename", "statements.log"),
    ("log_rotation_age", "0"),
    ("log_rotation_size", "0"),
];

/// The log reaches its file through a process of its own.
const FLUSH: Duration = Duration::from_millis(100);

/// Statements in a part of the log.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Sent to answer requests.
    pub(crate) request: usize,
    /// Of these, the first and last of transactions.
    pub(crate) frames: usize,
    /// Sent when requests were answered: events sealed, pulls counted.
    pub(crate) afterwards: usize,
    /// Looks for what other nodes did and for jobs, which come whether there are requests or not.
    pub(crate) looks: usize,
}

#[derive(Clone, Copy, Debug)]
enum Sender {
    Request,
    Afterwards,
    Look,
}

/// The end of the log.
pub(crate) fn position(postgres: &Postgres) -> Result<u64> {
    pause(FLUSH);
    let size = query(&postgres.url("postgres"), "SELECT (pg_stat_file(pg_current_logfile('jsonlog'))).size")?;
    size.parse().context("the size of the log is no number")
}

/// Counts what was logged behind a position.
pub(crate) fn count(postgres: &Postgres, from: u64) -> Result<Counts> {
    pause(FLUSH);
    let rows = query(
        &postgres.url("postgres"),
        &format!(
            "SELECT said->>'pid', regexp_replace(said->>'message', '\\s+', ' ', 'g')
               FROM (SELECT CAST(line AS JSONB) AS said
                       FROM regexp_split_to_table(
                            pg_read_file(pg_current_logfile('jsonlog'), {from}, 1000000000), E'\\n') AS line
                      WHERE line LIKE '{{%}}') AS log
              WHERE said->>'application_name' IS DISTINCT FROM 'psql'
                AND said->>'message' ~ '^(statement|execute [^:]*): '"
        ),
    )?;
    let mut counts = Counts::default();
    // What each connection's open transaction has sent.
    let mut open: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows.lines() {
        let (pid, message) = row.split_once('|').context("the log has a line without a message")?;
        let (_, text) = message.split_once(": ").context("the log has a message without a statement")?;
        if let Some(sent) = open.get_mut(pid) {
            sent.push(text);
            if ["COMMIT", "ROLLBACK"].contains(&text) {
                counts.add(&open.remove(pid).unwrap_or_default(), 2);
            }
        } else if text.starts_with("BEGIN") {
            open.insert(pid, vec![text]);
        } else {
            counts.add(&[text], 0);
        }
    }
    Ok(counts)
}

impl Counts {
    fn add(&mut self, sent: &[&str], frames: usize) {
        match sender(sent) {
            Sender::Request => {
                self.request += sent.len();
                self.frames += frames;
            }
            Sender::Afterwards => self.afterwards += sent.len(),
            Sender::Look => self.looks += sent.len(),
        }
    }
}

/// Tells by their words who sent the statements of one transaction, or one outside of any.
fn sender(sent: &[&str]) -> Sender {
    let has = |words: &[&str]| sent.iter().any(|text| words.iter().any(|word| text.contains(word)));
    if has(&[
        "pg_is_in_recovery()",
        "FROM generation",
        "FROM mode",
        "FROM access_generation",
        "FROM import_source",
        "FROM access_generation",
        "EXISTS (SELECT 1 FROM ledger_delta)",
        " job ",
    ]) {
        return Sender::Look;
    }
    if has(&["FOR UPDATE SKIP LOCKED", "INTO pull "]) { Sender::Afterwards } else { Sender::Request }
}
