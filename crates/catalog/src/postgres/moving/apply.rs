//! What changed in the source goes into the target in one transaction, which ends with a look at what it left.
//!
//! Rows that did not change are the same on both sides already. So after the rows that changed are written, and those that are
//! gone are deleted, the target is the source's view. On the way no rule of the schema is broken: a changed row first lets go of
//! what must differ from row to row (`parked`), tables that others name are written first, and rows are deleted in the opposite
//! order, after all others are written.

use tokio_postgres::types::Type;

use super::{Progress, Target, copy};
use crate::driver::Param;
use crate::error::{Error, Result};
use crate::moving::table::join;
use crate::moving::{Fingerprint, Key, Point, Row, Table, tables};

/// A transaction that takes changes in.
#[derive(Debug)]
pub(super) struct Pass {
    staged: Vec<(&'static Table, Fingerprint)>,
    rows: u64,
}

impl Target {
    /// Begins to take changes in.
    ///
    /// # Errors
    /// [`Error::TakenOver`] when another command works the move.
    pub async fn begin_changes(&mut self) -> Result<()> {
        self.begin().await?;
        self.connection
            .batch(
                "CREATE TEMPORARY TABLE touched (
                    noun TEXT COLLATE \"C\", first BIGINT, second BIGINT, name TEXT COLLATE \"C\") ON COMMIT DROP",
            )
            .await?;
        self.pass = Some(Pass { staged: Vec::new(), rows: 0 });
        Ok(())
    }

    /// Takes in rows that changed, or came. Those of a table come in the order of their keys.
    pub async fn put(&mut self, table: &'static Table, rows: &[Row]) -> Result<()> {
        if table.grows {
            self.tally(rows.len());
            return self.copy(table.name, table, rows).await;
        }
        self.stage(table).await?;
        let keys: Vec<Key> = rows.iter().map(|row| row.key(table)).collect();
        self.touch(table, &keys).await?;
        self.copy(&format!("staged_{}", table.name), table, rows).await?;
        self.tally(rows.len());
        if let Some((_, sum)) = self.pass.as_mut().and_then(|pass| pass.staged.last_mut()) {
            for row in rows {
                sum.add(row);
            }
        }
        Ok(())
    }

    /// Notes rows that are gone.
    pub async fn remove(&mut self, table: &'static Table, keys: &[Key]) -> Result<()> {
        self.stage(table).await?;
        self.tally(keys.len());
        self.touch(table, keys).await
    }

    /// Applies what came, and compares each row with what was sent. Returns the number of rows.
    ///
    /// # Errors
    /// [`Error::Differs`] if one is not what it should be.
    pub async fn end_changes(&mut self, point: Point) -> Result<u64> {
        let pass = self.pass.take().ok_or(Error::Closed)?;
        self.connection.batch("ANALYZE touched").await?;
        for (table, _) in &pass.staged {
            self.connection.batch(&format!("ANALYZE staged_{}", table.name)).await?;
            if let Some(parked) = table.parked {
                let name = table.name;
                self.connection
                    .batch(&format!(
                        "{} {name} AS t SET {parked} FROM touched AS c WHERE c.noun = '{name}' AND {}",
                        "UPDATE",
                        table.matches("t.", "c.")
                    ))
                    .await?;
            }
        }
        let is_staged = |table: &Table| pass.staged.iter().any(|(staged, _)| staged.name == table.name);
        for table in tables().filter(|table| is_staged(table)) {
            self.connection.batch(&upsert(table)).await?;
        }
        for table in tables().rev().filter(|table| is_staged(table)) {
            self.connection.batch(&delete(table)).await?;
        }
        for (table, sent) in &pass.staged {
            sent.compare(&self.sum(table, &touched(table)).await?, table)?;
        }
        let progress: Progress = self.progress.clone();
        self.note(&progress, point.change).await?;
        self.connection.batch("COMMIT").await?;
        self.point = point;
        Ok(pass.rows)
    }

    fn tally(&mut self, rows: usize) {
        if let Some(pass) = &mut self.pass {
            pass.rows += rows as u64;
        }
    }

    /// Makes room for a table's changes, when the first come.
    async fn stage(&mut self, table: &'static Table) -> Result<()> {
        let pass = self.pass.as_mut().ok_or(Error::Closed)?;
        if pass.staged.last().is_some_and(|(last, _)| last.name == table.name) {
            return Ok(());
        }
        pass.staged.push((table, Fingerprint::default()));
        let (name, columns) = (table.name, table.list(""));
        let sql = format!(
            "CREATE TEMPORARY TABLE staged_{name} ON COMMIT DROP AS SELECT {columns} FROM {name} WITH NO DATA"
        );
        Ok(self.connection.batch(&sql).await?)
    }

    async fn touch(&self, table: &Table, keys: &[Key]) -> Result<()> {
        let types = [Type::TEXT, Type::INT8, Type::INT8, Type::TEXT];
        let values = keys.iter().map(|key| {
            [Param::Text(table.name), Param::Int(key.first), Param::Int(key.second), Param::Text(&key.name)]
                .into_iter()
        });
        copy(&self.connection, "touched (noun, first, second, name)", &types, values).await
    }
}

fn upsert(table: &Table) -> String {
    let (name, columns, keys) = (table.name, table.list(""), table.keys(""));
    let set = join(table.rest.iter().map(|(column, _)| format!("{column} = excluded.{column}")), ", ");
    format!(
        "{} INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM staged_{name}
             ON CONFLICT ({keys}) DO UPDATE SET {set}",
        "INSERT"
    )
}

fn delete(table: &Table) -> String {
    let name = table.name;
    let same = join(table.key.iter().map(|(column, _)| format!("s.{column} = t.{column}")), " AND ");
    format!(
        "{} FROM {name} AS t USING touched AS c WHERE c.noun = '{name}' AND {}
             AND NOT EXISTS (SELECT 1 FROM staged_{name} AS s WHERE {same})",
        "DELETE",
        table.matches("t.", "c.")
    )
}

/// Reads what is there of the keys that changed.
fn touched(table: &Table) -> String {
    format!(
        "{} {} FROM touched AS c JOIN {name} AS t ON {} WHERE c.noun = '{name}' ORDER BY c.first, c.second, c.name",
        "SELECT",
        table.list("t."),
        table.matches("t.", "c."),
        name = table.name
    )
}
