//! The tables that move.
//!
//! Rows keep their ids, so a row on one side is the same row on the other. A test compares this list with the schema.

mod access;

pub(super) use access::TABLES as ACCESS;

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
    pub(super) only: Option<&'static str>,
    pub(super) but: Option<&'static str>,
    /// Whether rows only ever come, in the order of the key: nothing else is noted of them.
    pub(crate) grows: bool,
}

/// Every table that moves, those first that others name; behind them come those of [`ACCESS`].
pub(super) const TABLES: [Table; 10] = [
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
    pub(super) fn only(&self, prefix: &str) -> String {
        self.only.map_or_else(String::new, |only| format!(" AND {prefix}{only}"))
    }
}

pub(crate) fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}
