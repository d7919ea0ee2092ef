//! Triggers: those that note what changes while a catalog moves, and those that refuse every change when it has moved.

use std::sync::LazyLock;

use super::table::Table;

/// Notes a key, at the end if it is noted already. Two statements: the conflict clause of whoever fires it would override one here.
fn note(table: &Table, row: &str) -> String {
    let ([first, second, text], name) = (table.parts(row), table.name);
    format!(
        "DELETE FROM moving_change WHERE noun = '{name}' AND first = {first} AND second = {second} AND name = {text};
         INSERT INTO moving_change (noun, first, second, name) VALUES ('{name}', {first}, {second}, {text});"
    )
}

pub(super) fn notes(table: &Table) -> Vec<String> {
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

pub(super) fn drops(name: &str) -> Vec<String> {
    ["insert", "update", "key", "delete"].map(|suffix| format!("DROP TRIGGER moving_{name}_{suffix}")).into()
}

/// What whoever writes to a catalog that has moved is told.
pub(crate) const MOVED: &str =
    "the registry has moved to another database: `berth migrate status` says where";

pub(super) fn locks(name: &str) -> Vec<String> {
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
