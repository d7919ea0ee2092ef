//! Records come to the end of the chain, many in one unit of work.

use super::head::{self, Head};
use super::hour::Hours;
use super::record::Entry;
use crate::driver::{Param, params};
use crate::error::Result;
use crate::tx::Tx;

/// Appends records. Returns the head behind them.
pub async fn append(tx: &mut Tx, entries: &[Entry]) -> Result<Head> {
    let mut head = head::take(tx).await?;
    let mut brought = Hours::default();
    for entry in entries {
        insert(tx, &mut head, &mut brought, entry).await?;
    }
    brought.save(tx).await?;
    head::save(tx, &head).await?;
    Ok(head)
}

/// Appends those that are not there yet, by time and id: an earlier try may have been committed though nobody heard of it.
pub async fn append_missing(tx: &mut Tx, entries: &[Entry]) -> Result<Head> {
    let mut head = head::take(tx).await?;
    let mut brought = Hours::default();
    for entry in entries {
        let there = tx
            .query_opt(
                "SELECT 1 FROM trail_record WHERE at = $1 AND id = $2",
                params![entry.at, &entry.id],
                |_| Ok(()),
            )
            .await?;
        if there.is_none() {
            insert(tx, &mut head, &mut brought, entry).await?;
        }
    }
    brought.save(tx).await?;
    head::save(tx, &head).await?;
    Ok(head)
}

/// Appends the records of the events behind `after` up to `last`, unless they are there: `None` if the event log has been copied up to
/// another position meanwhile.
pub async fn copy_events(tx: &mut Tx, after: i64, last: i64, entries: &[Entry]) -> Result<Option<Head>> {
    let mut head = head::take(tx).await?;
    if head.event != after {
        return Ok(None);
    }
    let mut brought = Hours::default();
    for entry in entries {
        insert(tx, &mut head, &mut brought, entry).await?;
    }
    head.event = last;
    brought.save(tx).await?;
    head::save(tx, &head).await?;
    Ok(Some(head))
}

async fn insert(tx: &mut Tx, head: &mut Head, brought: &mut Hours, entry: &Entry) -> Result<()> {
    let entry = entry.clone().without_nul();
    brought.add(&entry);
    head.position += 1;
    head.hash = entry.hash(head.position, &head.hash);
    put(tx, head, &entry).await
}

/// Inserts a record where the head is.
pub(super) async fn put(tx: &mut Tx, head: &Head, entry: &Entry) -> Result<()> {
    tx.post(
        "INSERT INTO trail_record (position, id, at, action, outcome, actor, kind, proof, project, repository, tag,
                                   digest, status, request_id, client, agent, personal, detail, event, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        params![
            head.position,
            &entry.id,
            entry.at,
            &entry.action,
            &entry.outcome,
            &entry.actor,
            &entry.kind,
            &entry.proof,
            entry.project.as_deref(),
            entry.repository.as_deref(),
            entry.tag.as_deref(),
            entry.digest.as_deref(),
            entry.status,
            entry.request_id.as_deref(),
            entry.client.as_deref(),
            entry.agent.as_deref(),
            entry.personal.as_deref().map_or(Param::Null, Param::Bytes),
            &entry.detail,
            entry.event,
            &head.hash.0[..]
        ],
    )
    .await
}
