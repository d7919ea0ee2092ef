//! The tables that move, and the statements that read them whole, page by page, and by what changed.
//!
//! Rows keep their ids, so a row on one side is the same row on the other. A test compares this list with the schema.

use std::sync::LazyLock;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

use Kind::{Bytes, Int, Text};

/// A table that moves.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Columns of its key: one or two numbers, or a number and a text.
    pub(crate) key: &'static [(&'static str, Kind)],
    /// The other columns.
    pub(crate) rest: &'static [(&'static str, Kind)],
    /// Columns that must differ from row to row beside the key, and what stands in them while rows change places.
    pub(crate) parked: Option<&'static str>,
    /// Which rows move, and which don't.
    only: Option<&'static str>,
    but: Option<&'static str>,
    /// Whether rows only ever come, in the order of the key: nothing else is noted of them.
    pub(crate) grows: bool,
}

/// Every table that moves, those first that others name.
const TABLES: [Table; 10] = [
    Table {
        parked: Some("name = 'moving ' || id"),
        ..Table::new("repository", &[("id", Int)], &[("name", Text), ("created_at", Int)])
    },
    Table {
        parked: Some("digest = 'moving ' || id, location = NULL"),
        // No repository links what is condemned; its bytes are about to go.
        only: Some("condemned_at IS NULL"),
        but: Some("condemned_at IS NOT NULL"),
        ..Table::new(
            "blob",
            &[("id", Int)],
            &[
                ("digest", Text),
                ("size", Int),
                ("location", Text),
                ("created_at", Int),
                ("condemned_at", Int),
                ("damaged_at", Int),
                ("content", Bytes),
            ],
        )
    },
    Table::new("link", &[("repository_id", Int), ("blob_id", Int)], &[("questioned_at", Int)]),
    Table {
        parked: Some("digest = 'moving ' || id"),
        ..Table::new(
            "manifest",
            &[("id", Int)],
            &[
                ("repository_id", Int),
                ("digest", Text),
                ("media_type", Text),
                ("subject", Text),
                ("artifact_type", Text),
                ("depth", Int),
                ("pushed_at", Int),
                ("questioned_at", Int),
                ("descriptor", Text),
                ("content", Bytes),
            ],
        )
    },
    Table::new("manifest_blob", &[("manifest_id", Int), ("blob_id", Int)], &[("repository_id", Int)]),
    Table::new("manifest_missing", &[("manifest_id", Int), ("digest", Text)], &[("repository_id", Int)]),
    Table::new("manifest_child", &[("manifest_id", Int), ("digest", Text)], &[("repository_id", Int)]),
    Table::new("tag", &[("repository_id", Int), ("name", Text)], &[("manifest_id", Int), ("moved_at", Int)]),
    Table::new("pull", &[("repository_id", Int), ("reference", Text)], &[("count", Int), ("last_at", Int)]),
    Table {
        grows: true,
        ..Table::new(
            "event",
            &[("position", Int)],
            &[
                ("id", Text),
                ("at", Int),
                ("kind", Text),
                ("repository", Text),
                ("tag", Text),
                ("digest", Text),
                ("caller", Text),
                ("detail", Text),
                ("hash", Bytes),
            ],
        )
    },
];

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

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| TABLES.into_iter().map(Source::new).collect());

/// Returns every table that moves, in the order in which rows may name each other.
pub fn tables() -> impl DoubleEndedIterator<Item = &'static Table> + ExactSizeIterator {
    SOURCES.iter().map(|source| &source.table)
}

pub(crate) fn sources() -> &'static [Source] {
    &SOURCES
}

impl Table {
    const fn new(
        name: &'static str,
        key: &'static [(&'static str, Kind)],
        rest: &'static [(&'static str, Kind)],
    ) -> Self {
        Self { name, key, rest, parked: None, only: None, but: None, grows: false }
    }

    /// Tells whether its rows name bytes in the store.
    pub fn has_bytes(&self) -> bool {
        self.name == "blob"
    }

    /// Its columns, as `table.column`.
    pub fn names(&self) -> Vec<String> {
        self.columns().map(|(column, _)| format!("{}.{column}", self.name)).collect()
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.key.iter().chain(self.rest).copied()
    }

    /// The columns, with commas, each behind `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> String {
        join(self.columns().map(|(name, _)| format!("{prefix}{name}")), ", ")
    }

    pub(crate) fn keys(&self, prefix: &str) -> String {
        join(self.key.iter().map(|(name, _)| format!("{prefix}{name}")), ", ")
    }

    /// The key as a change is noted: two numbers and a text.
    pub(crate) fn parts(&self, prefix: &str) -> [String; 3] {
        let numbers: Vec<_> = self.key.iter().filter(|(_, kind)| *kind == Int).collect();
        let number =
            |at: usize| numbers.get(at).map_or("0".to_owned(), |(name, _)| format!("{prefix}{name}"));
        let text = self.key.iter().find(|(_, kind)| *kind == Text);
        [number(0), number(1), text.map_or("''".to_owned(), |(name, _)| format!("{prefix}{name}"))]
    }

    /// Compares a row's key with that of a noted change.
    pub(crate) fn matches(&self, row: &str, change: &str) -> String {
        let columns = ["first", "second", "name"].into_iter().zip(self.parts(row));
        join(
            columns
                .filter(|(_, part)| part.starts_with(row))
                .map(|(column, part)| format!("{part} = {change}{column}")),
            " AND ",
        )
    }

    /// The condition on rows that move.
    fn only(&self, prefix: &str) -> String {
        self.only.map_or_else(String::new, |only| format!(" AND {prefix}{only}"))
    }
}

pub(crate) fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
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
            triggers: if table.grows { Vec::new() } else { triggers(&table) },
            drops: if table.grows { Vec::new() } else { drops(name) },
            locks: locks(name),
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

/// Notes a key, at the end if it is noted already. Two statements: the conflict clause of whoever fires it would override one here.
fn note(table: &Table, row: &str) -> String {
    let ([first, second, text], name) = (table.parts(row), table.name);
    format!(
        "DELETE FROM moving_change WHERE noun = '{name}' AND first = {first} AND second = {second} AND name = {text};
         INSERT INTO moving_change (noun, first, second, name) VALUES ('{name}', {first}, {second}, {text});"
    )
}

fn triggers(table: &Table) -> Vec<String> {
    let name = table.name;
    let trigger = |suffix: &str, when: &str, row: &str| {
        format!("CREATE TRIGGER moving_{name}_{suffix} AFTER {when} ON {name} BEGIN {} END", note(table, row))
    };
    vec![
        trigger("insert", "INSERT", "NEW."),
        trigger("update", "UPDATE", "NEW."),
        trigger("key", &format!("UPDATE OF {}", table.keys("")), "OLD."),
        trigger("delete", "DELETE", "OLD."),
    ]
}

fn drops(name: &str) -> Vec<String> {
    ["insert", "update", "key", "delete"].map(|suffix| format!("DROP TRIGGER moving_{name}_{suffix}")).into()
}

/// What whoever writes to a catalog that has moved is told.
pub(crate) const MOVED: &str =
    "the registry has moved to another database: `berth migrate status` says where";

fn locks(name: &str) -> Vec<String> {
    ["INSERT", "UPDATE", "DELETE"]
        .map(|verb| {
            let suffix = verb.to_lowercase();
            format!(
                "CREATE TRIGGER moved_{name}_{suffix} BEFORE {verb} ON {name} BEGIN SELECT RAISE(ABORT, '{MOVED}'); END"
            )
        })
        .into()
}

/// Tables that do not move, and that nothing is written to any more all the same.
pub(crate) static LOCKS: LazyLock<Vec<String>> =
    LazyLock::new(|| ["upload", "imported", "trash"].into_iter().flat_map(locks).collect());
