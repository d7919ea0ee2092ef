//! Foreign keys and indexes: gone while rows pour in, made again when the rows are those of one moment.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::Connection;
use crate::error::Result;
use crate::moving::tables;

/// One that is to be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Takes it away.
    drop: String,
    /// Makes it.
    make: String,
}

/// Takes away what no COPY should have to look after, in the transaction that is open. Unique indexes stay: they say at once when
/// something is wrong.
pub(super) async fn drop_all(connection: &Connection) -> Result<Vec<Kept>> {
    let names: Vec<_> = tables().map(|table| table.name).collect();
    // Foreign keys last: making them wants the indexes.
    let rows = connection
        .query(
            "SELECT 'DROP INDEX ' || CAST(i.indexrelid AS regclass), pg_get_indexdef(i.indexrelid), 0 AS place
               FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
              WHERE NOT i.indisunique AND t.relnamespace = CAST(current_schema AS regnamespace)
                AND CAST(t.relname AS TEXT) = ANY($1)
             UNION ALL
             SELECT 'ALTER TABLE ' || CAST(c.conrelid AS regclass) || ' DROP CONSTRAINT ' || quote_ident(c.conname),
                    'ALTER TABLE ' || CAST(c.conrelid AS regclass) || ' ADD CONSTRAINT ' || quote_ident(c.conname) || ' ' ||
                    pg_get_constraintdef(c.oid), 1
               FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
              WHERE c.contype = 'f' AND t.relnamespace = CAST(current_schema AS regnamespace)
                AND CAST(t.relname AS TEXT) = ANY($1)
              ORDER BY place",
            &[(&names, Type::TEXT_ARRAY)],
        )
        .await?;
    let mut kept = Vec::new();
    for row in rows {
        kept.push(Kept { drop: row.try_get(0)?, make: row.try_get(1)? });
    }
    for one in kept.iter().rev() {
        connection.batch(&one.drop).await?;
    }
    Ok(kept)
}

/// Makes them again, in the transaction that is open.
pub(super) async fn make(connection: &Connection, kept: &[Kept]) -> Result<()> {
    for one in kept {
        connection.batch(&one.make).await?;
    }
    Ok(())
}
