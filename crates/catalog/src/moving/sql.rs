//! Statements for each table that moves: made from its columns, since all are alike.

use std::sync::LazyLock;

use super::table::{ACCESS, TABLES, Table, join};
use super::trigger;

/// A table with what is done to it in SQLite.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) table: Table,
    /// A page of rows that have not changed since the move began.
    pub(crate) page: String,
    /// Every row.
    pub(crate) every: String,
    /// What changed: the key, then the row, whose columns are NULL if it is gone.
    pub(crate) changed: String,
    pub(crate) count: String,
    /// Notes changes; nothing for a table that grows.
    pub(crate) triggers: Vec<String>,
    /// Ends that.
    pub(crate) drops: Vec<String>,
    /// Refuses changes.
    pub(crate) locks: Vec<String>,
}

static SOURCES: LazyLock<Vec<Source>> =
    LazyLock::new(|| TABLES.into_iter().chain(ACCESS).map(Source::new).collect());

/// Returns every table that moves, in the order in which rows may name each other.
pub fn tables() -> impl DoubleEndedIterator<Item = &'static Table> + ExactSizeIterator {
    SOURCES.iter().map(|source| &source.table)
}

pub(crate) fn sources() -> &'static [Source] {
    &SOURCES
}

impl Source {
    fn new(table: Table) -> Self {
        let (name, keys, columns) = (table.name, table.keys("t."), table.list("t."));
        let marks = join((1..=table.key.len()).map(|number| format!("${number}")), ", ");
        let unchanged = if table.grows {
            String::new()
        } else {
            let matches = table.matches("t.", "c.");
            let [_, second, text] = table.parts("t.");
            format!(
                " AND NOT EXISTS (SELECT 1 FROM moving_change AS c WHERE c.noun = '{name}' AND {matches}{}{})",
                if second == "0" { " AND c.second = 0" } else { "" },
                if text == "''" { " AND c.name = ''" } else { "" },
            )
        };
        let (only, matches) = (table.only("t."), table.matches("t.", "c."));
        Self {
            page: format!(
                "SELECT {columns} FROM {name} AS t WHERE ({keys}) > ({marks}){only}{unchanged} ORDER BY {keys} LIMIT ${}",
                table.key.len() + 1
            ),
            every: format!("SELECT {columns} FROM {name} AS t WHERE TRUE{only} ORDER BY {keys}"),
            changed: format!(
                "SELECT c.first, c.second, c.name, {columns} FROM moving_change AS c LEFT JOIN {name} AS t ON {matches}{only}
                  WHERE c.noun = '{name}' AND c.number > $1 ORDER BY c.first, c.second, c.name"
            ),
            count: count(&table),
            triggers: if table.grows { Vec::new() } else { trigger::notes(&table) },
            drops: if table.grows { Vec::new() } else { trigger::drops(name) },
            locks: trigger::locks(name),
            table,
        }
    }
}

/// Counts rows in an index, however much lies in the rows: pushes rest meanwhile.
fn count(table: &Table) -> String {
    let name = table.name;
    match table.but {
        None => format!("SELECT COUNT(*) FROM {name}"),
        Some(but) => {
            format!("SELECT (SELECT COUNT(*) FROM {name}) - (SELECT COUNT(*) FROM {name} WHERE {but})")
        }
    }
}
